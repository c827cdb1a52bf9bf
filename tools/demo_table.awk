# demo_table.awk EPOLL FILE: of demo.sh's rounds, "requests seconds cpu_ns p50_us p99_us" a line, the table's row for FILE: medians,
# and the lowest and highest in brackets. Ratios are to the same round of EPOLL. With gain=1: by how many percent less CPU time.
function median(v, n,  i, j, t) {
  for (i = 2; i <= n; ++i) for (j = i; j > 1 && v[j] < v[j - 1]; --j) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
  return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
# Sorts v, so call it before v[1] and v[n] are used.
function spread(v, n,  middle) { middle = median(v, n); return sprintf("%.2f (%.2f-%.2f)", middle, v[1], v[n]) }
FNR == 1 { ++files }
files == 1 { base[FNR] = $3 / $1 }
files == 2 { n = FNR; rate[n] = $1 / $2; cpu[n] = $3 / $1 / 1000; ratio[n] = $3 / $1 / base[n]; p50[n] = $4; p99[n] = $5 }
END {
  if (gain) {
    percent = 100 * (1 - median(ratio, n))
    printf "%.0f %% %s (%s)\n", percent < 0 ? -percent : percent, percent < 0 ? "more" : "less", name
  } else
    printf format, name, backend, sprintf("%.0f", median(rate, n)), spread(cpu, n), backend == "epoll" ? "1" : spread(ratio, n),
           sprintf("%.0f", median(p50, n)), sprintf("%.0f", median(p99, n)), calls
}
