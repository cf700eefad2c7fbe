"""Questions as SQL: pure functions from a filter to a statement with placeholders, a file a subject."""

from .arrivals import HASH as HASH
from .arrivals import STORED_AT as STORED_AT
from .arrivals import build_arrivals as build_arrivals
from .arrivals import build_newest_arrival as build_newest_arrival
from .arrivals import read_cursor as read_cursor
from .conditions import LISTS as LISTS
from .conditions import SPANS as SPANS
from .conditions import Subject as Subject
from .errors import build_errors as build_errors
from .grouping import list_group_columns as list_group_columns
from .latency import build_latency as build_latency
from .lists import COUNT_REJECTS as COUNT_REJECTS
from .lists import KEY as KEY
from .lists import Page as Page
from .lists import build_count as build_count
from .lists import build_list as build_list
from .lists import build_look_around as build_look_around
from .lists import build_open_count as build_open_count
from .lists import build_rejects as build_rejects
from .selections import list_expressions as list_expressions
from .selections import pick_columns as pick_columns
from .traces import build_threads as build_threads
from .traces import build_trace as build_trace
from .traces import build_trace_count as build_trace_count
from .traces import build_traces as build_traces
from .usage import build_usage as build_usage
