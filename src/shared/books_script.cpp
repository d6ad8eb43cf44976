#include "shared/books_script.h"

namespace weir::shared {

std::string books_script() {
    return std::string(kBooksState).append(kBooksGrants);
}

const std::string_view kBooksState = R"lua(
local LEASE, YOUNG, SEEN, DAY, CLAIM = 2e6, 2e6, 6e8, 8.64e10, 1e6
local DEAD, OUTAGE = 2.5e7, 2.5e6
local BUCKETS, CLIENTS, CLASSES, HUGE = 120, 2000, 3, 2^52
local K = KEYS[1]
local KI, KL, KS, KW, KC, KT = K .. ':i', K .. ':l', K .. ':s', K .. ':w', K .. ':c', K .. ':t'
local KQ = K .. ':q'  -- instances that may be alone, by when they count as silent
local call = redis.call

local at = 0
local function text() at = at + 1; return ARGV[at] end
local function number() return tonumber(text()) end
local function four() return {number(), number(), number(), number()} end
local function int(n) return string.format('%.0f', n) end

local t = call('TIME')
local now = t[1] * 1e6 + t[2]
local me, seq, after, beat, window = text(), number(), number(), number(), number()
local limits, spent, returned, untold, ahead = four(), four(), four(), four(), four()
local kept, kept_epoch = four(), number()
local profile, leaves, told_of = number(), number() == 1, number()
local learned = {four(), four()}  -- limit, peak, whether it refused, whether it may be probed
local settling = number()

local windows = {window, window, DAY, window}
local width, slack, first, bucket = {}, {}, {}, {}
for b = 1, 4 do
    local w = windows[b]
    width[b] = math.max(1, math.floor(w / BUCKETS))
    slack[b] = math.min(math.max(math.floor(w / 240), 100000), 250000)
    first[b] = math.floor((now - w - slack[b]) / width[b])
    bucket[b] = math.floor(now / width[b])
end

-- State: sums of what is logged (u), held (h), expired ever (z) and offered (a), the oldest bucket
-- (o), what calls under way will give back (v), when anybody was here last (n), the last outage (p, r), since when the books are young (y) and how many they
-- wait for (m), and what has been learned (k).
local fields = {'e', 'x', 'f', 'u1', 'u2', 'u3', 'u4', 'h1', 'h2', 'h3', 'h4',
                'o1', 'o2', 'o3', 'o4', 'z1', 'z2', 'z3', 'z4', 'a1', 'a2', 'a3', 'a4',
                'n', 'p', 'r', 'v', 'y', 'm', 'k'}
local got = call('HMGET', K, unpack(fields))
local s = {}
for i, f in ipairs(fields) do s[f] = tonumber(got[i]) or 0 end
if s.e == 0 then s.e, s.y = now, now end
local used, held = {s.u1, s.u2, s.u3, s.u4}, {s.h1, s.h2, s.h3, s.h4}
local oldest, freed = {s.o1, s.o2, s.o3, s.o4}, {s.z1, s.z2, s.z3, s.z4}
local standing = {s.a1, s.a2, s.a3, s.a4}

-- Of limits that nobody configured, requests and tokens: the limit (l), when a refusal confirmed it last (c) and the most that was accepted (p), in parts
-- of ten windows (i), and the limit when the pause was made short (r). When the next step of a round of probes begins (n), the pause between rounds (w), the
-- parts of the limit that may be probed in this step (a) and that were (k), and whether a round is going on (g).
local L = got[#fields] and cmsgpack.unpack(got[#fields]) or
          {l = {0, 0}, c = {0, 0}, p = {{0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}}, r = {0, 0},
           i = 0, n = 0, w = 0, a = 0, k = 0, g = 0}
local has_learned = false
local part = math.floor(now / (10 * window))
for b = 1, 2 do
    for i = math.max(L.i + 1, part - 5), part do L.p[b][i % 6 + 1] = 0 end
    if L.l[b] > 0 and now - L.c[b] > 60 * window then L.l[b] = 0 end
end
L.i = math.max(L.i, part)

local function log(b, to, amount)
    if amount == 0 then return end
    local field = b .. ':' .. int(to)
    local there = tonumber(call('HGET', K, field)) or 0
    local becomes = math.max(0, there + amount)
    call('HSET', K, field, int(becomes))
    used[b] = used[b] + becomes - there
    if oldest[b] == 0 or to < oldest[b] then oldest[b] = to end
end

-- Of what is logged in a bucket, so much more is final.
local function settle(b, to, amount)
    if amount > 0 then call('HINCRBY', K, 's' .. b .. ':' .. int(to), int(amount)) end
end

for b = 1, 4 do
    local o = oldest[b]
    if o > 0 and o < first[b] then
        local last = math.min(first[b] - 1, o + BUCKETS + math.ceil(slack[b] / width[b]) + 2)
        local gone, settled = {}, {}
        for i = o, last do
            gone[#gone + 1] = b .. ':' .. int(i)
            settled[#settled + 1] = 's' .. b .. ':' .. int(i)
        end
        for _, v in ipairs(call('HMGET', K, unpack(gone))) do
            if v then
                used[b] = used[b] - tonumber(v)
                freed[b] = freed[b] + tonumber(v)
            end
        end
        call('HDEL', K, unpack(gone))
        call('HDEL', K, unpack(settled))
        oldest[b] = first[b]
    end
end

local function unpacked(v)
    if not v then
        -- p, l: the offer of the last answer that it has heard for certain, and of the last.
        local none = {a = {0, 0, 0, 0}, f = {0, 0, 0, 0}, c = {0, 0, 0, 0}, t = HUGE, n = 1}
        return {q = 0, s = 0, v = 0, h = {0, 0, 0, 0}, n = {0, 0, 0, 0}, g = {0, 0, 0, 0},
                b = {0, 0, 0, 0}, w = {0, 0, 0, 0}, p = none, l = none}
    end
    return cmsgpack.unpack(v)
end

-- What an instance holds and has not renewed is taken to have been sent when its lease ended.
local lapsed = call('ZRANGEBYSCORE', KL, '-inf', int(now), 'WITHSCORES')
for i = 1, #lapsed, 2 do
    local other, ended = lapsed[i], tonumber(lapsed[i + 1])
    local v = call('HGET', KI, other)
    if v then
        local o = unpacked(v)
        for b = 1, 4 do
            held[b] = held[b] - o.h[b] - o.n[b]
            log(b, math.max(first[b], math.floor(ended / width[b])), o.h[b] + o.n[b])
            o.h[b], o.n[b], o.g[b] = 0, 0, 0
        end
        s.v = s.v - o.v
        o.v = 0
        call('HSET', KI, other, cmsgpack.pack(o))
    end
    call('ZREM', KL, other)
end
local old = call('ZRANGEBYSCORE', KS, '-inf', int(now - SEEN))
if #old > 0 then
    for _, other in ipairs(old) do
        local o = unpacked(call('HGET', KI, other))
        for b = 1, 4 do standing[b] = standing[b] - o.w[b] end
    end
    call('ZREM', KQ, unpack(old))
    call('ZREM', KS, unpack(old))
    call('HDEL', KI, unpack(old))
end

local claims = {}
local raw = call('HGETALL', KW)
for i = 1, #raw, 2 do
    local c = cmsgpack.unpack(raw[i + 1])
    if c.u <= now then call('HDEL', KW, raw[i]) else claims[raw[i]] = c end
end

-- Who may be alone may have sent so much that nobody has told.
local function apart(o)
    local all = {}
    for b = 1, 4 do
        all[b] = o.w[b]
        for _, offer in ipairs({o.p, o.l}) do
            if offer.t <= now then
                local part = math.max(o.w[b], offer.c[b])
                local more = o.w[b] + math.floor((freed[b] - offer.f[b]) / offer.n)
                if offer.t + windows[b] <= now then more = part end
                all[b] = math.max(all[b], math.min(more, part))
            end
        end
    end
    return all
end

-- Who has been silent for long is dead, unless nobody reached the store.
if s.n > 0 and now - s.n >= OUTAGE then
    s.p, s.r = s.n, now
    if s.y > 0 then s.y = now end
end
s.n = now
local silent = {0, 0, 0, 0}
for _, other in ipairs(call('ZRANGEBYSCORE', KQ, '-inf', int(now))) do
    local v = call('HGET', KI, other)
    local o = unpacked(v)
    if o.s + DEAD <= now and not (o.s + DEAD > s.p and s.r + DEAD > now) then
        call('ZREM', KQ, other)
        for b = 1, 4 do
            standing[b] = standing[b] - o.w[b]
            o.w[b] = 0
        end
        if v then call('HSET', KI, other, cmsgpack.pack(o)) end
    elseif other ~= me then
        local theirs = apart(o)
        for b = 1, 4 do silent[b] = silent[b] + theirs[b] - o.w[b] end
    end
end

local self = unpacked(call('HGET', KI, me))
local watched = call('ZSCORE', KQ, me)
local before = self.q
-- It has left already, and this came once more.
local left = leaves and self.q == 0
local stale = left or seq < self.q
if not stale then
    self.s = now
    for b = 1, 4 do
        local n = seq == self.q and math.max(untold[b], self.n[b]) or untold[b]
        held[b] = held[b] + n - self.n[b]
        self.n[b] = n
    end
    call('ZADD', KS, int(self.s), me)
end
if s.y > 0 then
    s.m = math.max(s.m, told_of)
    local all = call('ZCARD', KS) >= s.m or now - s.y >= DEAD
    if all and now - s.y >= YOUNG then s.y = 0 end
end
local young = s.y > 0
local room_in, turn = 0, 0
)lua";

}  // namespace weir::shared
