#include "shared/books_script.h"

namespace weir::shared {

const std::string_view kBooksGrants = R"lua(
-- The rest of the arguments.
local corrections, heads, charges, backlog, troubles = {}, {}, {}, {}, {}
for i = 1, number() do corrections[i] = {number(), number(), number(), number()} end
for i = 1, number() do
    heads[i] = {c = number(), n = text(), a = now - number(), need = four()}
end
for i = 1, number() do charges[i] = {text(), number()} end
for i = 1, number() do backlog[i] = {number(), text(), number(), number(), number()} end
for i = 1, number() do troubles[i] = {number(), text(), now + number()} end

local function ranks_before(a, b)
    if a.c ~= b.c then return a.c < b.c end
    if a.v ~= b.v then return a.v < b.v end
    return a.a < b.a
end

local counters = {}
local function counter(name)
    local known = counters[name]
    if known then return known end
    local v = call('HGET', KC, name)
    known = v and cmsgpack.unpack(v) or {0, 0, 0}
    counters[name] = known
    return known
end
local function keep(name)
    local c = counters[name]
    call('HSET', KC, name, cmsgpack.pack({c[1], c[2], c[3]}))
end
local function refuse(name, seconds)
    local c = counter(name)
    c[3] = c[3] + seconds
    keep(name)
end

if seq > self.q and not left then
    self.q = seq
    self.p = self.l
    self.g = {0, 0, 0, 0}
    for b = 1, 4 do
        self.b[b] = bucket[b]
        local gone = math.min(self.h[b], spent[b] + returned[b])
        self.h[b] = self.h[b] - gone
        held[b] = held[b] - gone
        log(b, bucket[b], spent[b])
    end
    for _, c in ipairs(corrections) do
        local b = c[1] + 1
        -- What was told has been lost, and others have their amounts where it was: only they could
        -- be taken back.
        if (c[3] > 0 or before == after) and c[2] >= first[b] then
            local to = math.min(c[2], bucket[b])
            log(b, to, c[3])
            settle(b, to, c[4])
        end
    end
    if #charges > 0 and call('HLEN', KC) > CLIENTS then call('DEL', KC) end
    for _, c in ipairs(charges) do
        local known = counter(c[1])
        known[1] = known[1] + c[2]
        keep(c[1])
    end
    for _, own in ipairs(backlog) do
        if own[5] > 0 then
            refuse(int(own[1]) .. own[2], own[5])
            refuse('c' .. int(own[1]), own[5])
        end
    end
    s.v = s.v + settling - self.v
    self.v = settling
    local first_pause, refused = math.floor(window / 30), false
    for b = 1, 2 do
        local limit, peak = learned[b][1], learned[b][2]
        has_learned = has_learned or limit > 0 or peak > 0 or learned[b][3] == 1
        if limit > 0 then
            if L.l[b] == 0 then
                L.c[b], L.r[b], L.n = now, 0, now + first_pause
            end
            if limit > L.r[b] + math.floor(L.r[b] / 50) then
                L.r[b], L.w = limit, first_pause
            end
            L.r[b] = math.min(L.r[b], limit)
            L.l[b] = limit
        end
        local slot = part % 6 + 1
        L.p[b][slot] = math.max(L.p[b][slot], peak)
        if learned[b][3] == 1 then
            L.c[b], refused = now, true
        end
    end
    if refused and L.g == 1 then
        L.g, L.w = 0, math.min(2 * L.w, 2 * window)
        L.n = now + L.w
    end

    local by_others, withheld, needed = {}, {}, {0, 0, 0, 0}
    for b = 1, 4 do
        by_others[b] = standing[b] - self.w[b] + silent[b]
        withheld[b] = by_others[b]
    end
    if watched and self.p.t <= now then
        -- Alone until now, it may send more before it hears this answer.
        local own = apart(self)
        for b = 1, 4 do withheld[b] = withheld[b] + math.max(0, own[b] - self.n[b]) end
    end
    if not young and not leaves then
        local room = {}
        for b = 1, 4 do
            room[b] = limits[b] < 0 and HUGE or limits[b] - used[b] - held[b] - withheld[b]
        end
        if claims[me] then
            claims[me] = nil
            call('HDEL', KW, me)
        end
        local least = s.f
        for _, c in pairs(claims) do least = math.min(least, c.v) end
        local claimed, blocked = {}, false
        for _, head in ipairs(heads) do
            local known = counter(head.n)
            if known[2] + CLAIM < now then known[1] = math.max(known[1], least) end
            known[2] = now
            keep(head.n)
            if not blocked then
                local mine = {c = head.c, v = known[1], a = head.a, need = head.need,
                              u = now + CLAIM, w = backlog}
                for other, c in pairs(claims) do
                    if not claimed[other] and ranks_before(c, mine) then
                        claimed[other] = true
                        for b = 1, 4 do room[b] = room[b] - c.need[b] end
                    end
                end
                local fits = true
                for b = 1, 4 do
                    if head.need[b] > 0 and head.need[b] > room[b] then fits = false end
                end
                if not fits then
                    -- The first of all that wait may show whether a learned limit still holds.
                    local probes, beyond = true, 0
                    for b = 1, 4 do
                        if head.need[b] > 0 and head.need[b] > room[b] then
                            probes = probes and b <= 2 and learned[b][4] == 1 and
                                     head.need[b] + used[b] + held[b] + self.g[b] > limits[b]
                            beyond = math.max(beyond, head.need[b] / math.max(1, limits[b]))
                        end
                    end
                    for _, c in pairs(claims) do
                        if ranks_before(c, mine) then probes = false end
                    end
                    if probes and (L.n <= now or L.g == 1 and L.k + beyond <= L.a) then
                        fits, has_learned = true, true
                        if L.n <= now then
                            L.a = L.g == 1 and math.min(2 * L.k, 0.125) or 0
                            L.k, L.g, L.n = 0, 1, now + math.max(200000, math.floor(window / 300))
                        end
                        L.k = L.k + beyond
                    end
                end
                if fits then
                    for b = 1, 4 do
                        room[b] = room[b] - head.need[b]
                        self.g[b] = self.g[b] + head.need[b]
                    end
                    s.f = math.max(s.f, known[1])
                else
                    blocked = true
                    local ahead_of = {0, 0, 0, 0}
                    for _, c in pairs(claims) do
                        if ranks_before(c, mine) then
                            turn = turn + 1
                            for b = 1, 4 do ahead_of[b] = ahead_of[b] + c.need[b] end
                        end
                    end
                    claims[me] = mine
                    call('HSET', KW, me, cmsgpack.pack(mine))
                    local when = now
                    for b = 1, 4 do
                        local missing = head.need[b] + ahead_of[b] + used[b] + held[b] - limits[b]
                        if limits[b] >= 0 and missing > 0 then
                            local i = math.max(oldest[b], first[b])
                            while missing > 0 and i <= bucket[b] do
                                local v = call('HGET', K, b .. ':' .. int(i))
                                if v then
                                    missing = missing - tonumber(v)
                                    when = math.max(when, (i + 1) * width[b] + windows[b] + slack[b])
                                end
                                i = i + 1
                            end
                            if missing > 0 then when = 0 break end
                        end
                    end
                    room_in = math.max(0, when - now)
                end
            end
        end
        if next(claims) == nil then
            local some, more = true, {}
            for b = 1, 4 do
                more[b] = math.min(math.max(0, math.floor(room[b] / 2)), ahead[b])
                if more[b] <= 0 and ahead[b] > 0 then some = false end
            end
            if some then
                for b = 1, 4 do self.g[b] = self.g[b] + more[b] end
            end
        end
        for b = 1, 4 do
            if limits[b] < 0 then self.g[b] = 0 end
            self.h[b] = self.h[b] + self.g[b]
            held[b] = held[b] + self.g[b]
        end
    end
    for _, c in pairs(claims) do
        for b = 1, 4 do needed[b] = needed[b] + c.need[b] end
    end
    -- For the case that it hears nothing more; in place of what it may still send alone.
    local n = call('ZCARD', KS)
    -- While the books are young it is alone already, and uses its part of what expires.
    local silent_at = young and now or now + math.floor(beat * 5 / 2)
    local offer = {a = {0, 0, 0, 0}, f = {}, c = {}, t = silent_at, n = n}
    for b = 1, 4 do
        offer.f[b] = freed[b]
        -- With more than its part of the limit it never goes alone.
        offer.c[b] = math.max(0, math.floor(limits[b] / n))
        local free = limits[b] - used[b] - held[b]
        if young and kept_epoch ~= 0 and kept_epoch ~= s.e then
            offer.a[b] = kept[b]
        elseif limits[b] >= 0 then
            offer.a[b] = math.max(0, math.min(math.floor((free - needed[b]) /
                                                         (n == 1 and not young and 1 or 2 * n)),
                                              free - by_others[b]))
        end
        standing[b] = standing[b] - self.w[b]
        self.w[b] = math.max(self.p.a[b] - self.g[b], offer.a[b])
        standing[b] = standing[b] + self.w[b]
    end
    self.l = offer
    call('ZADD', KQ, int(math.min(self.p.t, offer.t)), me)
end

local granted = seq == self.q and self.g or {0, 0, 0, 0}
local holds = self.v > 0
for b = 1, 4 do holds = holds or self.h[b] > 0 or self.n[b] > 0 end
if holds then call('ZADD', KL, int(now + LEASE), me) else call('ZREM', KL, me) end
local told, used_then = {}, {unpack(used)}
for b = 1, 4 do told[b] = held[b] - self.h[b] - self.n[b] end
local settles_elsewhere = s.v - self.v
if leaves then
    for b = 1, 4 do
        local all = self.h[b] + self.n[b]
        held[b] = held[b] - all
        log(b, bucket[b], all)
        standing[b] = standing[b] - self.w[b]
    end
    s.v = s.v - self.v
    for _, k in ipairs({KL, KQ, KS}) do call('ZREM', k, me) end
    for _, k in ipairs({KI, KW, KT}) do call('HDEL', k, me) end
    claims[me], troubles = nil, {}
else
    call('HSET', KI, me, cmsgpack.pack(self))
end
local write = {'e', int(s.e), 'f', string.format('%.17g', s.f),
               'n', int(s.n), 'p', int(s.p), 'r', int(s.r), 'v', int(s.v),
               'y', int(s.y), 'm', int(s.m)}
for b = 1, 4 do
    for _, pair in ipairs({{'u', used[b]}, {'h', held[b]}, {'o', oldest[b]},
                           {'z', freed[b]}, {'a', standing[b]}}) do
        write[#write + 1] = pair[1] .. b
        write[#write + 1] = int(pair[2])
    end
end
if has_learned then
    write[#write + 1] = 'k'
    write[#write + 1] = cmsgpack.pack(L)
end
if s.x + 6e7 < now then
    write[#write + 1] = 'x'
    write[#write + 1] = int(now)
    local keep_for = limits[3] >= 0 and 90000 or 900 + math.ceil(window / 5e5)
    for _, k in ipairs({KI, KL, KS, KW, KC, KQ, KT}) do call('EXPIRE', k, keep_for) end
    call('HSET', K, unpack(write))
    call('EXPIRE', K, keep_for)
else
    call('HSET', K, unpack(write))
end

local out = {int(seq), int(before), int(now), int(s.e), young and '1' or '0', self.l.n}
for _, list in ipairs({self.b, granted, used_then}) do
    for b = 1, 4 do out[#out + 1] = int(list[b]) end
end
for b = 1, 4 do out[#out + 1] = int(told[b]) end
for b = 1, 4 do out[#out + 1] = stale and '0' or int(self.l.a[b]) end
out[#out + 1] = int(room_in)
out[#out + 1] = turn
for b = 1, 2 do
    out[#out + 1] = int(L.l[b])
    out[#out + 1] = int(math.max(unpack(L.p[b])))
    out[#out + 1] = L.l[b] > 0 and int(now - L.c[b]) or 0
end
out[#out + 1] = int(settles_elsewhere)
out[#out + 1] = #heads
for _, head in ipairs(heads) do
    out[#out + 1] = head.n
    out[#out + 1] = string.format('%.17g', counter(head.n)[1])
end
local same, classes = {}, {}
for i, own in ipairs(backlog) do
    same[i] = {own[1], own[2], 0, 0, counter(int(own[1]) .. own[2])[3]}
end
for other, c in pairs(claims) do
    if other ~= me then
        for _, theirs in ipairs(c.w) do
            for _, own in ipairs(same) do
                if own[1] == theirs[1] and own[2] == theirs[2] then
                    own[3] = own[3] + theirs[3]
                    own[4] = own[4] + theirs[4]
                end
            end
            local sum = classes[theirs[1]] or {theirs[1], '', 0, 0, 0}
            sum[3] = sum[3] + theirs[3]
            sum[4] = sum[4] + theirs[4]
            classes[theirs[1]] = sum
        end
    end
end
local flat = {}
for c = 0, CLASSES - 1 do
    local sum = classes[c] or {c, '', 0, 0, 0}
    sum[5] = counter('c' .. c)[3]
    if sum[4] > 0 or sum[5] > 0 then flat[#flat + 1] = sum end
end
for _, list in ipairs({same, flat}) do
    out[#out + 1] = #list
    for _, sum in ipairs(list) do
        out[#out + 1] = int(sum[1])
        out[#out + 1] = sum[2]
        out[#out + 1] = string.format('%.17g', sum[3])
        out[#out + 1] = string.format('%.17g', sum[4])
        out[#out + 1] = string.format('%.17g', sum[5])
    end
end
if #troubles > 0 then call('HSET', KT, me, cmsgpack.pack(troubles)) else call('HDEL', KT, me) end
local closed = {}
raw = call('HGETALL', KT)
for i = 1, #raw, 2 do
    local left = 0
    for _, trouble in ipairs(cmsgpack.unpack(raw[i + 1])) do
        if trouble[3] > now then
            left = left + 1
            if raw[i] ~= me then closed[#closed + 1] = trouble end
        end
    end
    if left == 0 then call('HDEL', KT, raw[i]) end
end
out[#out + 1] = #closed
for _, trouble in ipairs(closed) do
    out[#out + 1] = int(trouble[1])
    out[#out + 1] = trouble[2]
    out[#out + 1] = int(trouble[3] - now)
end
if profile == 1 then
    local logged = {}
    for b = 1, 4 do
        local from = math.max(oldest[b], first[b])
        if oldest[b] > 0 and from <= bucket[b] then
            local names, settled = {}, {}
            for i = from, bucket[b] do
                names[#names + 1] = b .. ':' .. int(i)
                settled[#settled + 1] = 's' .. b .. ':' .. int(i)
            end
            settled = call('HMGET', K, unpack(settled))
            for i, v in ipairs(call('HMGET', K, unpack(names))) do
                if v and tonumber(v) > 0 then
                    local index = from + i - 1
                    logged[#logged + 1] = {b - 1, index,
                                           math.max(0, now - (index + 1) * width[b]), tonumber(v),
                                           tonumber(settled[i]) or 0}
                end
            end
        end
    end
    out[#out + 1] = #logged
    for _, l in ipairs(logged) do
        for i = 1, 5 do out[#out + 1] = int(l[i]) end
    end
else
    out[#out + 1] = -1
end
return out
)lua";

}  // namespace weir::shared
