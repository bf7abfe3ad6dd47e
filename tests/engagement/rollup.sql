-- What a day's roll-up is, to be read: difference rows and people rows of `segments`, whose
-- sessions all began on the day. `runtimes` gives runtime_s by title_id.
CREATE OR REPLACE TEMP TABLE played AS
WITH once AS (  -- of rows with one key the one landed last counts
    SELECT *
    FROM segments
    QUALIFY row_number() OVER (
        PARTITION BY title_id, session_id, started_at, from_s, to_s ORDER BY line DESC
    ) = 1
),
whose AS (  -- a session is its first viewer's
    SELECT *, first_value(viewer_id) OVER (
        PARTITION BY title_id, session_id ORDER BY started_at, line
    ) AS owner
    FROM once
)
SELECT title_id, session_id, viewer_id, started_at, from_s, to_s,
    -- what the session is comes from its first row
    first_value(territory) OVER opening AS territory,
    first_value(device) OVER opening AS device,
    first_value(region) OVER opening AS region,
    first_value(age_band) OVER opening AS age_band,
    first_value(gender) OVER opening AS gender,
    row_number() OVER opening = 1 AS opens,
    lead(line) OVER opening IS NULL AS closes,
    -- how far it had played before: what lies beyond is new, what lies between is skipped
    max(to_s) OVER (
        PARTITION BY title_id, session_id ORDER BY from_s, to_s
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS reached
FROM whose
WHERE viewer_id = owner AND from_s < to_s
WINDOW opening AS (PARTITION BY title_id, session_id ORDER BY started_at, line);

CREATE OR REPLACE TEMP TABLE curves AS
WITH events(title_id, territory, second, sessions, times_played, starts, stops, skips) AS (
    SELECT title_id, territory, from_s, 0, 1, opens::int, 0, 0 FROM played
    UNION ALL
    SELECT title_id, territory, to_s, 0, -1, 0, 0, 0 FROM played
    UNION ALL
    SELECT title_id, territory, to_s - 1, 0, 0, 0, 1, 0 FROM played WHERE closes
    UNION ALL
    SELECT title_id, territory, greatest(from_s, coalesce(reached, 0)), 1, 0, 0, 0, 0
    FROM played WHERE coalesce(reached, 0) < to_s
    UNION ALL
    SELECT title_id, territory, to_s, -1, 0, 0, 0, 0
    FROM played WHERE coalesce(reached, 0) < to_s
    UNION ALL
    SELECT title_id, territory, unnest([reached, from_s]), 0, 0, 0, 0, unnest([1, -1])
    FROM played WHERE reached < from_s
)
SELECT title_id, territory, second, sum(sessions)::int AS sessions,
    sum(times_played)::int AS times_played, sum(starts)::int AS starts,
    sum(stops)::int AS stops, sum(skips)::int AS skips
FROM events
GROUP BY title_id, territory, second
HAVING sum(sessions) <> 0 OR sum(times_played) <> 0 OR sum(starts) <> 0 OR sum(stops) <> 0
    OR sum(skips) <> 0;

CREATE OR REPLACE TEMP TABLE people AS
WITH sessions AS (
    SELECT title_id, session_id, viewer_id, territory, device, region, age_band, gender,
        min(started_at) AS first_at, sum(to_s - from_s) AS watch_seconds, max(to_s) AS furthest_s
    FROM played
    GROUP BY ALL
)
SELECT s.title_id, viewer_id AS viewer, territory, device,
    unnest(min({first_at: first_at, region: region, age_band: age_band, gender: gender})),
    count(*) AS plays, sum(watch_seconds) AS watch_seconds,
    count(*) FILTER (runtime_s > 0 AND 10 * furthest_s >= 9 * runtime_s) AS completions,
    max(furthest_s) AS furthest_s
FROM sessions AS s LEFT JOIN runtimes AS r ON r.title_id = s.title_id
GROUP BY s.title_id, viewer_id, territory, device;
