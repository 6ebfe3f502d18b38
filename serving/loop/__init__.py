"""The loop: what people say to a registered model trains its next version, which is promoted if it proves better."""
