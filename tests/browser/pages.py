"""Prefect's two resume forms as page objects: the same words for what a person does in either."""

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar
from urllib.parse import urljoin

from playwright.sync_api import Error, Locator, Page

__all__ = ["ResumeForm", "V1Form", "V2Form"]

_GLANCE_MS = 5_000
_TRIES = 12

Step = str | int
"""A field's title, or the index of a list item."""


class ResumeForm(ABC):
    """The form that opens behind `Resume`; a field is named by the titles and list indexes that lead to it."""

    run_path: ClassVar[str]

    def __init__(self, page: Page, ui_url: str) -> None:
        self.page = page
        self.ui_url = ui_url

    def open(self, run_id: str) -> None:
        """Show the form of a suspended flow run."""
        self.page.goto(urljoin(self.ui_url, self.run_path.format(run_id)))
        self._press_resume()
        self.field("Decision").wait_for()

    def learn_nothing_new(self) -> None:
        """As behind a slow network: what the page asks about the run from here on is never answered."""
        self.page.route(re.compile(r"/flow_runs/[0-9a-f-]{36}$"), lambda _: None)

    @property
    @abstractmethod
    def dialog(self) -> Locator:
        """The whole form."""

    @property
    @abstractmethod
    def description(self) -> Locator:
        """What stands above the fields."""

    def field(self, *path: Step) -> Locator:
        """The element that holds a field, its title included."""
        found = self.dialog
        for step in path:
            found = self._item(found, step) if isinstance(step, int) else self._titled(found, step)
        return found

    def titles(self) -> list[str]:
        """The titles of all fields, from the top."""
        return [re.sub(r"\s*\(Optional\)$", "", text.strip()) for text in self._titles().all_inner_texts()]

    def text(self, *path: Step) -> str:
        """What stands in a box for text or numbers."""
        return self._box(*path).input_value()

    def write(self, value: str, *path: Step) -> None:
        """Replace what stands in a box for text or numbers."""
        self._box(*path).fill(value)

    def is_on(self, *path: Step) -> bool:
        """Whether a switch is on."""
        return self.field(*path).get_by_role("switch").first.get_attribute("aria-checked") == "true"

    def flip(self, *path: Step) -> None:
        """Turn a switch to its other side."""
        self.field(*path).get_by_role("switch").first.click()

    @abstractmethod
    def json_text(self, *path: Step) -> str:
        """What stands in a JSON editor."""

    @abstractmethod
    def write_json(self, value: str, *path: Step) -> None:
        """Replace what stands in a JSON editor."""

    @abstractmethod
    def choice(self, *path: Step) -> str:
        """What a dropdown shows."""

    @abstractmethod
    def choose(self, value: str, *path: Step) -> None:
        """Pick from a dropdown; for one with several choices, add or remove."""

    @abstractmethod
    def chips(self, *path: Step) -> list[str]:
        """What is chosen in a dropdown with several choices."""

    @abstractmethod
    def day(self, *path: Step) -> str:
        """What a date button shows."""

    @abstractmethod
    def pick_day(self, day: int, *path: Step) -> None:
        """Pick another day of the month that is shown."""

    @abstractmethod
    def tab(self, *path: Step) -> str:
        """Which side of a union is open."""

    @abstractmethod
    def open_tab(self, name: str, *path: Step) -> None:
        """Open another side of a union."""

    def add_item(self, *path: Step) -> None:
        """Add an empty item to a list."""
        self.field(*path).get_by_role("button", name="Add item").last.click()

    @abstractmethod
    def remove_item(self, *path: Step) -> None:
        """Remove the list item that the path ends in."""

    def submit(self) -> None:
        """Send a form that will be taken; returns when the server has answered.

        SQLite that is locked for a moment answers 503: it is sent again, as a person would.
        """
        status = 503
        while status == 503:
            with self.page.expect_response(re.compile(r"/resume$")) as answer:
                self.press_submit()
            status = answer.value.status

    @abstractmethod
    def press_submit(self) -> None:
        """Send a form that may be refused."""

    @property
    @abstractmethod
    def complaint(self) -> Locator:
        """Where the UI says why the form was not taken."""

    def screenshot(self, path: Path) -> None:
        """Keep a picture of what the person sees."""
        self.page.screenshot(path=path)

    def _box(self, *path: Step) -> Locator:
        return self.field(*path).locator("textarea, input:not([type=checkbox])").first

    @abstractmethod
    def _press_resume(self) -> None: ...

    @abstractmethod
    def _titles(self) -> Locator: ...

    @abstractmethod
    def _titled(self, inside: Locator, title: str) -> Locator: ...

    @abstractmethod
    def _item(self, inside: Locator, index: int) -> Locator: ...


class V1Form(ResumeForm):
    """The Vue UI."""

    run_path = "/runs/flow-run/{}"

    @property
    def dialog(self) -> Locator:
        return self.page.locator(".p-modal")

    @property
    def description(self) -> Locator:
        return self.dialog.locator(".p-modal__body > .markdown-renderer")

    def json_text(self, *path: Step) -> str:
        return self._box(*path).input_value()

    def write_json(self, value: str, *path: Step) -> None:
        self._box(*path).fill(value)

    def choice(self, *path: Step) -> str:
        return self.field(*path).locator(".p-select-button__value").first.inner_text().strip()

    def choose(self, value: str, *path: Step) -> None:
        button = self.field(*path).locator(".p-select-button__control").first
        button.focus()
        button.press("ArrowDown")
        self.page.get_by_role("option", name=value, exact=True).click()
        if self.page.get_by_role("listbox").count():
            button.press("Escape")

    def chips(self, *path: Step) -> list[str]:
        return [chip.strip() for chip in self.field(*path).locator(".p-tag").all_text_contents()]

    def day(self, *path: Step) -> str:
        return self.field(*path).locator(".p-date-button__value").inner_text()

    def pick_day(self, day: int, *path: Step) -> None:
        self.field(*path).locator(".p-date-button__control").click()
        dates = self.page.locator(".p-calendar-date-picker__date--in-month")
        dates.filter(has_text=re.compile(rf"^\s*{day}\s*$")).first.click()
        self.page.get_by_role("button", name="Apply").click()

    def tab(self, *path: Step) -> str:
        return self.field(*path).locator(".p-button-group [aria-selected=true]").first.inner_text()

    def open_tab(self, name: str, *path: Step) -> None:
        self.field(*path).locator(".p-button-group").first.get_by_role("button", name=name, exact=True).click()

    def remove_item(self, *path: Step) -> None:
        self.field(*path).locator(":scope > div > .schema-form-property-array-item__control > button").click()

    def press_submit(self) -> None:
        self.dialog.get_by_role("button", name="Submit").click()

    @property
    def complaint(self) -> Locator:
        return self.page.locator(".p-label__message--failed, .p-toast").filter(has_text=re.compile(r"\w")).first

    def _press_resume(self) -> None:
        self.page.get_by_role("button", name="Resume").click()

    def _titles(self) -> Locator:
        return self.dialog.locator(".schema-form-property__label")

    def _titled(self, inside: Locator, title: str) -> Locator:
        label = f"normalize-space()='{title}' or normalize-space()='{title} (Optional)'"
        return inside.locator(
            "xpath=.//div[contains(@class,'schema-form-property')][./div[@class='p-label__header']"
            f"//span[@class='schema-form-property__label'][{label}]]"
        ).first

    def _item(self, inside: Locator, index: int) -> Locator:
        return inside.locator(".p-draggable-list").first.locator(":scope > .p-draggable-list__item").nth(index)


class V2Form(ResumeForm):
    """The React UI."""

    run_path = "/v2/runs/flow-run/{}"

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog", name="Resume Flow Run")

    @property
    def description(self) -> Locator:
        return self.dialog.locator(".prose").first

    def json_text(self, *path: Step) -> str:
        return "\n".join(self.field(*path).locator(".cm-line").all_inner_texts())

    def write_json(self, value: str, *path: Step) -> None:
        self.field(*path).locator(".cm-content").first.click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(value)

    def choice(self, *path: Step) -> str:
        return self._popover(*path).inner_text()

    def choose(self, value: str, *path: Step) -> None:
        self._pick(self.page.get_by_role("option", name=value, exact=True), *path)
        # Asked of the button: a list that is fading out is still there, and Escape would then close the whole form.
        if self._popover(*path).get_attribute("aria-expanded") == "true":
            self.page.keyboard.press("Escape")

    def chips(self, *path: Step) -> list[str]:
        return self.field(*path).locator("[data-slot=badge]").all_inner_texts()

    def day(self, *path: Step) -> str:
        return self._popover(*path).inner_text()

    def pick_day(self, day: int, *path: Step) -> None:
        days = self.page.get_by_role("gridcell").get_by_role("button", name=re.compile(rf"\b{day}(st|nd|rd|th)\b"))
        self._pick(days.first, *path)
        self.page.keyboard.press("Escape")

    def tab(self, *path: Step) -> str:
        return self.field(*path).get_by_role("tab", selected=True).first.inner_text()

    def open_tab(self, name: str, *path: Step) -> None:
        self.field(*path).get_by_role("tab", name=name, exact=True).first.click()

    def remove_item(self, *path: Step) -> None:
        self.field(*path).locator(":scope > button[aria-haspopup=menu]").click()
        self.page.get_by_role("menuitem", name="Delete").click()

    def press_submit(self) -> None:
        self.dialog.get_by_role("button", name="Resume").click()

    @property
    def complaint(self) -> Locator:
        return self.page.locator("[data-sonner-toast]").first

    def _press_resume(self) -> None:
        menu = self.page.get_by_role("menuitem", name="Resume")
        self.page.locator("button[aria-haspopup=menu]").last.click()
        menu.click()

    def _titles(self) -> Locator:
        return self.dialog.locator("label[data-slot=label]")

    def _titled(self, inside: Locator, title: str) -> Locator:
        label = f"normalize-space()='{title}' or normalize-space()='{title} (Optional)'"
        return inside.locator(
            f"xpath=.//div[contains(@class,'group')][./div[1]/div[1]/label[@data-slot='label'][{label}]]"
        ).first

    def _item(self, inside: Locator, index: int) -> Locator:
        return inside.locator("[data-slot=card]").first.locator(":scope > div.grid").nth(index)

    def _popover(self, *path: Step) -> Locator:
        return self.field(*path).locator("[data-slot=popover-trigger]").first

    def _pick(self, choice: Locator, *path: Step) -> None:
        """Click on what a button opens; where the page is drawn anew meanwhile it closes, and is opened once more."""
        for _ in range(_TRIES):
            if self._popover(*path).get_attribute("aria-expanded") != "true":
                self._popover(*path).click()
            try:
                choice.click(timeout=_GLANCE_MS)
            except Error:
                continue
            return
        raise AssertionError(f"{choice} does not stay open long enough to be clicked")
