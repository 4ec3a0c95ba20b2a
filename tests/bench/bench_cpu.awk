# Tables of bench_cpu.sh's results, and JSON into the file of that name.  Variables: engines (a list
# with blanks, in the order of the columns), rounds, json.  Status 1: engines do not agree.
#
# Rows: machine TEXT
#       kernel BITS ENGINE NAME NANOSECONDS|- CHECKSUM
#       program - ENGINE NAME SECONDS CHECKSUM
#       boot - ENGINE NAME SECONDS CPU-SECONDS
# Medians over the rows that differ in the figure only.

$1 == "machine" {
    sub(/^machine /, "")
    machine = $0
    next
}

{
    table = $1 " " $2
    if (!(table in count_names))
        tables[++count_tables] = table
    if (!((table, $4) in known)) {
        known[table, $4] = 1
        names[table, ++count_names[table]] = $4
    }
    if ($5 != "-")
        value[table, $4, $3, ++count[table, $4, $3]] = $5
    if ($1 == "boot")
        cpu[table, $4, $3, ++count_cpu[table, $4, $3]] = $6
    else if ($6 != "-")
        agree(table, $4, $3, $6)
}

# All checksums of one name must be one.
function agree(table, name, who, sum)
{
    if (!((table, name) in sums)) {
        sums[table, name] = sum
        first[table, name] = who
    } else if (sums[table, name] != sum && !((table, name, who) in told)) {
        told[table, name, who] = 1
        differ[table, name] = 1
        messages = messages sprintf("%s %s: %s says %s, %s says %s\n", table, name,
            first[table, name], sums[table, name], who, sum)
    }
}

# The median of v[t, n, e, 1..count]; "" without any.
function median(v, t, n, e, c,    i, j, x, s)
{
    if (!c)
        return ""
    for (i = 1; i <= c; i++) {
        x = v[t, n, e, i] + 0
        for (j = i - 1; j > 0 && s[j] > x; j--)
            s[j + 1] = s[j]
        s[j + 1] = x
    }
    return c % 2 ? s[(c + 1) / 2] : (s[c / 2] + s[c / 2 + 1]) / 2
}

function of(t, n, e)
{
    return median(value, t, n, e, count[t, n, e])
}

# a / b, or "" when one is missing.
function ratio(a, b)
{
    return a == "" || b == "" || b == 0 ? "" : a / b
}

# Four digits that count.
function short(v, unit)
{
    if (v == "")
        return "-"
    if (v >= 1e5)
        return sprintf("%.0f", v)
    return v >= 1000 ? sprintf("%.0f", v) : v >= 100 ? sprintf("%.1f", v) : \
        v >= 10 ? sprintf("%.2f", v) : sprintf("%.3f", v)
}

function times(v)
{
    return v == "" ? "-" : v >= 100 ? sprintf("%.0f", v) : v >= 10 ? sprintf("%.1f", v) : \
        sprintf("%.2f", v)
}

function ours(e)
{
    return e != "native" && e != "tcg" && e != "bochs"
}

# The ratios of one row: "speed" by TCG for our engines, "slow" by native for all others.
function rate(t, n,    i, e, v)
{
    for (i = 1; i <= who; i++) {
        e = engine[i]
        v = of(t, n, e)
        speed[n, e] = ours(e) || e == "bochs" ? ratio(of(t, n, "tcg"), v) : ""
        slow[n, e] = e == "native" ? "" : ratio(v, of(t, n, "native"))
        add_mean("speed", e, speed[n, e])
        add_mean("slow", e, slow[n, e])
        if (ours(e) && speed[n, e] != "" && speed[n, e] < 1)
            slower[e] = slower[e] " " n
    }
}

function add_mean(kind, e, v)
{
    if (v == "" || v <= 0)
        return
    logs[kind, e] += log(v)
    terms[kind, e]++
}

function mean(kind, e)
{
    return terms[kind, e] ? exp(logs[kind, e] / terms[kind, e]) : ""
}

function heading(t,    i, line, title, p)
{
    split(t, p, " ")
    title = p[1] == "kernel" ? p[2] "-bit, ns/op" : p[1] == "program" ? "programs, CPU s" : \
        "boot to init, s"
    line = sprintf("%-16s", title)
    for (i = 1; i <= who; i++)
        line = line sprintf(" %10.10s", engine[i])
    if (has["tcg"])
        for (i = 1; i <= who; i++)
            if (ours(engine[i]))
                line = line sprintf(" %12s", "tcg/" substr(engine[i], 1, 8))
    if (has["native"] && p[1] != "boot")
        for (i = 1; i <= who; i++)
            if (engine[i] != "native")
                line = line sprintf(" %9s", substr(engine[i], 1, 6) "/nat")
    print line
}

function row(label, kind, t, n,    i, line, e)
{
    line = sprintf("%-16s", label)
    for (i = 1; i <= who; i++)
        line = line sprintf(" %10s", kind == "mean" ? "" : \
            kind == "cpu" ? short(median(cpu, t, n, engine[i], count_cpu[t, n, engine[i]])) : \
            short(of(t, n, engine[i])))
    if (has["tcg"])
        for (i = 1; i <= who; i++) {
            e = engine[i]
            if (ours(e))
                line = line sprintf(" %12s", kind == "mean" ? times(mean("speed", e)) : \
                    kind == "cpu" ? times(cpu_ratio(t, n, e)) : times(speed[n, e]))
        }
    if (has["native"] && t !~ /^boot/)
        for (i = 1; i <= who; i++)
            if (engine[i] != "native")
                line = line sprintf(" %9s", kind == "mean" ? times(mean("slow", engine[i])) : \
                    times(slow[n, engine[i]]))
    sub(/ +$/, "", line)
    print line
}

function cpu_ratio(t, n, e)
{
    return ratio(median(cpu, t, n, "tcg", count_cpu[t, n, "tcg"]), \
        median(cpu, t, n, e, count_cpu[t, n, e]))
}

function print_table(t,    i, n)
{
    split("", logs)
    split("", terms)
    split("", slower)
    heading(t)
    for (i = 1; i <= count_names[t]; i++) {
        n = names[t, i]
        rate(t, n)
        row(n, "", t, n)
        if (t ~ /^boot/)
            row("  CPU time", "cpu", t, n)
    }
    if (count_names[t] > 1)
        row("geometric mean", "mean", t, "")
    keep(t)
    for (i = 1; i <= who; i++)
        if (engine[i] in slower)
            print "slower than TCG with " engine[i] ":" slower[engine[i]]
    print ""
}

# The means for the JSON.
function keep(t,    i)
{
    for (i = 1; i <= who; i++) {
        means[t, "speed", engine[i]] = mean("speed", engine[i])
        means[t, "slow", engine[i]] = mean("slow", engine[i])
    }
}

# {"engine": v, ...} of what kind says.
function object(kind, t, n,    i, e, v, s)
{
    for (i = 1; i <= who; i++) {
        e = engine[i]
        v = kind == "value" ? of(t, n, e) : \
            kind == "cpu" ? median(cpu, t, n, e, count_cpu[t, n, e]) : means[t, kind, e]
        if (v != "")
            s = s sprintf("%s\"%s\": %.6g", s == "" ? "" : ", ", e, v)
    }
    return "{" s "}"
}

function write_json(    i, j, t, n, p)
{
    gsub(/["\\]/, "", machine)
    printf("{\n  \"machine\": \"%s\",\n  \"rounds\": %d,\n  \"agree\": %s,\n  \"tables\": [", \
        machine, rounds, messages == "" ? "true" : "false") >json
    for (i = 1; i <= count_tables; i++) {
        t = tables[i]
        split(t, p, " ")
        printf("%s\n    {\n      \"what\": \"%s\",\n", i > 1 ? "," : "", p[1]) >json
        if (p[2] != "-")
            printf("      \"bits\": %s,\n", p[2]) >json
        printf("      \"unit\": \"%s\",\n      \"rows\": [", p[1] == "kernel" ? "ns" : "s") >json
        for (j = 1; j <= count_names[t]; j++) {
            n = names[t, j]
            printf("%s\n        {\"name\": \"%s\", \"value\": %s", j > 1 ? "," : "", n, \
                object("value", t, n)) >json
            if (p[1] == "boot")
                printf(", \"cpu\": %s", object("cpu", t, n)) >json
            else
                printf(", \"checksum\": \"%s\", \"agree\": %s", sums[t, n], \
                    (t, n) in differ ? "false" : "true") >json
            printf("}") >json
        }
        printf("\n      ],\n      \"mean_tcg_by_it\": %s,\n", object("speed", t, "")) >json
        printf("      \"mean_it_by_native\": %s\n    }", object("slow", t, "")) >json
    }
    printf("\n  ]\n}\n") >json
    close(json)
}

END {
    who = split(engines, engine, " ")
    for (i = 1; i <= who; i++)
        has[engine[i]] = 1
    printf "%s; median of %d; tcg/E: TCG's time by E's, E/nat: E's time by native's\n\n", \
        machine, rounds
    for (i = 1; i <= count_tables; i++)
        print_table(tables[i])
    printf "%s", messages
    print messages == "" ? "all checksums agree" : "CHECKSUMS DIFFER"
    if (json != "")
        write_json()
    exit messages == "" ? 0 : 1
}
