-- Asks a server for classifications: `wrk -s serve.lua URL -- FILE..`, every file in turn; the results as JSON on the last line.
-- With COUNT_STATUSES=1 the answers' statuses are counted, which costs wrk some time.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(files)
  requests = {}
  statuses = {}
  -- The URL stands before, at 0.
  for _, name in ipairs(files) do
    local file = assert(io.open(name, "rb"))
    local headers = { ["Content-Type"] = "application/octet-stream" }
    table.insert(requests, wrk.format("POST", "/v1/predict", headers, file:read("*a")))
    file:close()
  end
  next_request = math.random(#requests)
  if os.getenv("COUNT_STATUSES") then
    response = function(status)
      statuses[status] = (statuses[status] or 0) + 1
    end
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function done(summary, latency)
  local total = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      total[status] = (total[status] or 0) + count
    end
  end
  local counted = {}
  for status, count in pairs(total) do
    table.insert(counted, string.format('"%d":%d', status, count))
  end
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%f,"not_2xx":%d,"broken":%d,"p50_ms":%f,"p90_ms":%f,"p99_ms":%f,"max_ms":%f,"statuses":{%s}}',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    table.concat(counted, ",")))
end
