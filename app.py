"""Hearth's page: `python app.py [--host H] [--port N] [--share] [--workspace DIR]`. Also what Hugging Face Spaces runs.

Environment: HEARTH_HOST, HEARTH_PORT, HEARTH_WORKSPACE, HEARTH_AUTH (user:password), HEARTH_DEMO=1 (visitors welcome).
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from jobs.errors import BadInput, Missing, UserError
from jobs.workspace import Workspace
from models.downloads.place import apply_place

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main() -> int:
    """Check what was asked for, then serve until Ctrl-C. Returns the exit status: 2 for what can't be served."""
    options = parse_options()
    try:
        demo = in_demo_mode()
        login = read_login()
        check_exposure(options, demo, login)
        check_port(options.host, options.port)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    serve(options, demo, login)
    return 0


def parse_options() -> argparse.Namespace:
    """Command line over environment over defaults."""
    in_space = "SPACE_ID" in os.environ
    parser = argparse.ArgumentParser(description="Hearth's page in the browser.")
    host = os.environ.get("HEARTH_HOST") or ("0.0.0.0" if in_space else "127.0.0.1")
    parser.add_argument("--host", default=host, help="address to listen at (default: %(default)s)")
    port = os.environ.get("HEARTH_PORT") or "7860"
    parser.add_argument("--port", type=int, default=port, help="port to listen at (default: %(default)s)")
    parser.add_argument("--share", action="store_true", help="a temporary public address through Gradio's relay")
    workspace = Workspace.default().root
    parser.add_argument("--workspace", type=Path, default=workspace, help="where everything you make is kept")
    return parser.parse_args()


def in_demo_mode() -> bool:
    return os.environ.get("HEARTH_DEMO") == "1" or "SPACE_ID" in os.environ


def read_login() -> tuple[str, str] | None:
    """HEARTH_AUTH as user and password. Raises BadInput for another form."""
    text = os.environ.get("HEARTH_AUTH")
    if not text:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise BadInput(
            "HEARTH_AUTH can't be used.",
            "It is not of the form user:password.",
            "Set it to both, with a colon between.",
        )
    return user, password


def check_exposure(options: argparse.Namespace, demo: bool, login: tuple[str, str] | None) -> None:
    """Raise BadInput when others could reach the page without a login: it can run programs and read the workspace."""
    if demo or login or (options.host in LOOPBACK and not options.share):
        return
    what = "--share was asked for" if options.share else f"The page would listen at {options.host}"
    raise BadInput(
        f"{what}, but there is no login.",
        "Whoever reached it could use this machine and read the workspace.",
        "Set HEARTH_AUTH=user:password, or leave out --share and use 127.0.0.1.",
    )


def check_port(host: str, port: int) -> None:
    """Raise BadInput or Missing when nothing can listen there."""
    if not 0 < port < 65536:
        raise BadInput(f"{port} is no port.", "Ports go from 1 to 65535.", "Choose another: python app.py --port 7860")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise BadInput(
            f"{host} is no address of this machine.", str(error), "Use 127.0.0.1, or 0.0.0.0 for all."
        ) from error
    except OSError as error:
        raise Missing(
            f"Port {port} on {host} can't be used.",
            f"{error.strerror}: perhaps Hearth, or another program, already runs there.",
            f"Open http://{host}:{port} to see, or choose another port: python app.py --port {min(port + 1, 65535)}",
        ) from error


def serve(options: argparse.Namespace, demo: bool, login: tuple[str, str] | None) -> None:
    """Build the page and serve it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    apply_place()
    from starlette.middleware import Middleware

    from ui.head import make_head
    from ui.layout import build_page
    from ui.page import Settings, VisitorCookie
    from ui.theme import CSS, ICON, make_theme
    from ui.translation.requests import Translation

    settings = Settings(options.workspace.resolve(), demo=demo, local=options.host in LOOPBACK and not options.share)
    settings.root.mkdir(parents=True, exist_ok=True)
    page = build_page(settings)
    print(f"Hearth: http://{options.host}:{options.port}   workspace: {settings.root}", flush=True)
    print("Ctrl-C ends the page; jobs that run go on.", flush=True)
    page.launch(
        server_name=options.host,
        server_port=options.port,
        share=options.share,
        auth=login,
        quiet=True,
        ssr_mode=False,
        show_error=True,
        footer_links=[],
        theme=make_theme(),
        css_paths=CSS,
        head=make_head(),
        favicon_path=ICON,
        allowed_paths=[str(settings.root)],
        blocked_paths=[],
        max_file_size="5mb" if demo else None,
        app_kwargs={"middleware": [Middleware(each) for each in ([VisitorCookie] if demo else []) + [Translation]]},
        # Gradio would ask its own page for an answer within three seconds, and give up on a machine that trains.
        _frontend=False,
    )


if __name__ == "__main__":
    sys.exit(main())
