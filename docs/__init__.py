"""The documentation, and the scripts that keep its generated parts and pictures true."""
