"""`OpenedPanel`: the panel of a home, as a notebook or script has it."""

from __future__ import annotations

from pathlib import Path

from mastra_admin_sdk.display.cards import render_panel
from mastra_admin_sdk.display.pages import render_template
from mastra_admin_sdk.errors import Conflict
from mastra_admin_sdk.home import Home
from mastra_admin_sdk.services.parts import Parts

from .panel import PANEL, ensure_panel, make_panel_address
from .records import Recorded, end_recorded, find_running
from .spawning import reap_ended

_GRACE_SECONDS = 10.0


class OpenedPanel:
    """A panel that runs as a process of its own; it goes on when the notebook ends.

    What it shows of itself has no token, since notebooks are saved and shared: `link` has it.
    """

    def __init__(self, home: Home, record: Recorded) -> None:
        self._home, self._record = home, record

    @property
    def url(self) -> str:
        """Its address, such as ``http://127.0.0.1:3001``; who isn't signed in is asked for the token."""
        return str(self._record.facts["url"])

    @property
    def link(self) -> str:
        """The address that signs a browser in. It holds the panel's token: give it to nobody.

        Raises:
            SecretError: the token can't be read.
        """
        return make_panel_address(self._home, self._record)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._record.pid

    @property
    def log(self) -> Path:
        """The file it writes what goes wrong to."""
        return self._home.logs / "panel.log"

    @property
    def is_running(self) -> bool:
        """True while it runs."""
        return self._record.is_running

    def open(self) -> bool:
        """Open it, signed in, in the browser of this machine; False when there is none."""
        import webbrowser

        return webbrowser.open(self.link)

    def stop(self) -> None:
        """End it. Servers go on. Can be repeated; a panel that was started since is left alone."""
        if find_running(self._home, PANEL) == self._record:
            end_recorded(self._home, PANEL, grace=_GRACE_SECONDS)
        reap_ended()

    def __repr__(self) -> str:
        return render_panel(self.url, is_running=self.is_running)

    def _repr_html_(self) -> str:
        return render_template("panel.html.j2", styles=True, url=self.url, is_running=self.is_running)


def open_panel(parts: Parts, given: tuple[str, ...]) -> OpenedPanel:
    """Return the panel of a home; start it unless it runs.

    Parameters:
        parts: those of the `MastraAdmin` that it is opened from.
        given: names of parts that came as objects, which another process can't be handed.

    Raises:
        Conflict: parts came as objects.
        NoFreePort: neither its port nor those that follow are free.
        ServerError: it ended right after its start or doesn't answer.
    """
    if given:
        raise Conflict(
            f"The panel is a process of its own and can't use the {', '.join(given)} that this MastraAdmin was given.",
            hint="Name them by settings (such as database_url), or serve mastra_admin_panel.create_app(admin).",
        )
    record, _ = ensure_panel(parts.settings, parts.home)
    return OpenedPanel(parts.home, record)
