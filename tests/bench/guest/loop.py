# For bench-programs: what scripts do all day, dictionaries, strings and calls.
def words(n):
    state = 1
    for _ in range(n):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield "w%d" % (state >> 16 & 1023)


class Counter:
    def __init__(self):
        self.seen = {}

    def add(self, word):
        self.seen[word] = self.seen.get(word, 0) + 1


counter = Counter()
for word in words(300000):
    counter.add(word)
lines = [
    "%s=%d" % (word, count)
    for word, count in sorted(counter.seen.items(), key=lambda item: (-item[1], item[0]))
]
text = ";".join(lines)
print(len(text), text.upper()[:60], sum(ord(c) for c in text) % 65521)
print(sorted(set(part.split("=")[0][-2:] for part in text.split(";")))[:20])
