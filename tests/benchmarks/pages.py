"""Pages of measurements: a table is replaced between two marks."""
import pathlib
import sys


class Page:
    """A page that is to receive a table; without a path, none. One without a place for it is refused before anything is measured."""

    def __init__(self, path, begin="<!-- measured -->", end="<!-- end -->"):
        self.path, self.begin, self.end = path and pathlib.Path(path), begin, end
        if self.path and not self.path.is_file():
            sys.exit(f"{path} is no page: make it, with {begin} and {end} where the table belongs")
        if self.path and end not in self.path.read_text(encoding="utf-8").partition(begin)[2]:
            sys.exit(f"{path} has no place for the table: put {begin} and {end} where it belongs")

    def fill(self, text):
        """Puts the text between the marks, where there is a page."""
        if not self.path:
            return
        before, rest = self.path.read_text(encoding="utf-8").split(self.begin, 1)
        self.path.write_text(f"{before}{self.begin}\n{text}\n{self.end}{rest.split(self.end, 1)[1]}", encoding="utf-8")
