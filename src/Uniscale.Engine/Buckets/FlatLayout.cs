using Uniscale.Engine.Parallel;

namespace Uniscale.Engine.Buckets;

/// <summary>A stretch of a flat buffer.</summary>
public readonly record struct FlatSpan(long Start, long End)
{
    /// <summary>Elements; never negative.</summary>
    public long Count => Math.Max(0, End - Start);

    /// <summary>What both have in common.</summary>
    public FlatSpan Intersect(FlatSpan other) => new(Math.Max(Start, other.Start), Math.Min(End, other.End));

    /// <summary>Part <paramref name="index"/> of <paramref name="count"/> nearly equal parts.</summary>
    public FlatSpan Part(int index, int count) => new(Start + (End - Start) * index / count, Start + (End - Start) * (index + 1) / count);
}

/// <summary>Where a parameter lies in its block's flat buffers.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Range">Its elements.</param>
public sealed record FlatParameter(LocalParameter Parameter, FlatSpan Range)
{
    /// <summary>Its elements without the rows that pad a vocabulary to the tensor axis.</summary>
    public FlatSpan Real => Range with { End = Range.Start + Parameter.Extent.Aggregate(1L, (a, b) => a * b) };
}

/// <summary>
/// Order and places of a block's parameters in its flat buffers: parameters with weight decay first, so that an update is two runs
/// at most; each begins on a cache line; the whole is padded to equal shards.
/// </summary>
public sealed class FlatLayout
{
    /// <summary>Elements to which the beginning of a parameter is aligned: 64 bytes of bf16.</summary>
    public const int Alignment = 32;

    /// <summary>Lays out the parameters of a block.</summary>
    /// <param name="parameters">In the order in which the block takes them.</param>
    /// <param name="shardCount">Ranks that share one copy (1 without ZeRO).</param>
    /// <param name="shardIndex">This rank's place among them.</param>
    public FlatLayout(IReadOnlyList<LocalParameter> parameters, int shardCount, int shardIndex)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)shardIndex, (uint)shardCount);
        var placed = new FlatParameter[parameters.Count];
        long place = 0;
        foreach (bool decay in (bool[])[true, false])
        {
            for (int i = 0; i < parameters.Count; i++)
            {
                if (parameters[i].Spec.Decay != decay)
                    continue;
                placed[i] = new FlatParameter(parameters[i], new FlatSpan(place, place + parameters[i].Count));
                place = RoundUp(place + parameters[i].Count, Alignment);
            }
            if (decay)
                DecayEnd = place;
        }
        Parameters = placed;
        Count = RoundUp(place, (long)shardCount * Alignment);
        Shard = new FlatSpan(Count / shardCount * shardIndex, Count / shardCount * (shardIndex + 1));
        ShardCount = shardCount;
        Gaps = [.. Between(placed, Count)];
    }

    /// <summary>What belongs to no parameter, before the next one's alignment and at the end.</summary>
    public IReadOnlyList<FlatSpan> Gaps { get; }

    /// <summary>Parameters in the order in which the block takes them.</summary>
    public IReadOnlyList<FlatParameter> Parameters { get; }

    /// <summary>Elements of the whole buffer with padding: a multiple of the number of shards.</summary>
    public long Count { get; }

    /// <summary>End of the elements with weight decay.</summary>
    public long DecayEnd { get; }

    /// <summary>This rank's shard; everything where there is one shard.</summary>
    public FlatSpan Shard { get; }

    /// <summary>Ranks that share one copy.</summary>
    public int ShardCount { get; }

    /// <summary>Stretches of the shard that one of its holders alone counts, neighbouring parameters joined.</summary>
    /// <param name="replica">The holder's place among them.</param>
    /// <param name="replicaCount">Holders of the same shard.</param>
    public IEnumerable<FlatSpan> OwnedRuns(int replica, int replicaCount)
    {
        var owned = Shard.Part(replica, replicaCount);
        FlatSpan? open = null;
        foreach (var parameter in Parameters.OrderBy(p => p.Range.Start))
        {
            if (!parameter.Parameter.IsOwner)
                continue;
            var part = parameter.Range.Intersect(owned);
            if (part.Count == 0)
                continue;
            if (open is { } run && part.Start - run.End < Alignment)
                open = run with { End = part.End };
            else
            {
                if (open is { } done)
                    yield return done;
                open = part;
            }
        }
        if (open is { } last)
            yield return last;
    }

    private static IEnumerable<FlatSpan> Between(FlatParameter[] placed, long count)
    {
        long end = 0;
        foreach (var range in placed.Select(p => p.Range).OrderBy(r => r.Start).Append(new FlatSpan(count, count)))
        {
            if (range.Start > end)
                yield return new FlatSpan(end, range.Start);
            end = range.End;
        }
    }

    private static long RoundUp(long value, long multiple) => (value + multiple - 1) / multiple * multiple;
}
