"""Programs of a home that go on after whoever started them: the panel and the background process."""
