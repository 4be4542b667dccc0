using System.IO.Hashing;
using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>
/// Replicas that must hold the same bits do not: memory or hardware failed, or a layout is wrong. All ranks throw it together.
/// </summary>
public sealed class ReplicaMismatchException : Exception
{
    /// <inheritdoc/>
    public ReplicaMismatchException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public ReplicaMismatchException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public ReplicaMismatchException() { }

    /// <summary>The step after which it was found.</summary>
    public long Step { get; init; }
}

/// <summary>Where replicas differ, the same on all ranks of the world.</summary>
/// <param name="Blocks">Numbers of the blocks, in order.</param>
/// <param name="Deviating">World ranks that differ from the majority of their replicas; empty where there is none, as of two.</param>
/// <param name="Ranks">World ranks of the replicas that were found to differ.</param>
public sealed record ReplicaDifference(IReadOnlyList<int> Blocks, IReadOnlyList<int> Deviating, IReadOnlyList<int> Ranks)
{
    /// <summary>Who differs from whom, as the second half of a sentence.</summary>
    public override string ToString() =>
        Deviating.Count > 0
            ? $"on rank {string.Join(", ", Deviating)} differ from those of the other replicas (ranks {string.Join(", ", Ranks)})"
            : $"differ between the replicas on ranks {string.Join(", ", Ranks)}";
}

/// <summary>
/// Compares checksums of parameters and optimizer state across the ranks that hold the same ones. Every rank of the world compares its
/// blocks in
/// order and then calls <see cref="Conclude"/>.
/// </summary>
/// <param name="rank">This rank.</param>
/// <param name="blockCount">Blocks of the model.</param>
internal sealed class ReplicaGuard(RankState rank, int blockCount)
{
    // One sum over the world carries all: ranks that deviate, ranks whose group differs, blocks that differ.
    private readonly double[] _found = new double[2 * rank.Groups.World.Size + blockCount];

    /// <summary>Compares a block whose parameters are in place.</summary>
    public void Compare(Bucket bucket)
    {
        var groups = rank.GroupsOf(bucket);
        bool together = bucket.ParametersAreSharded || groups.ShardReplicas.Size == groups.Replicas.Size;
        var parameters = bucket.ParametersAreSharded ? bucket.ParameterShard : bucket.WholeFlat;
        var state =
            bucket.Type == ScalarType.Float32
                ? new[] { bucket.FirstMoment, bucket.SecondMoment }
                : [bucket.FirstMoment, bucket.SecondMoment, bucket.Master];
        if (together)
        {
            Compare(bucket.Block, groups.ShardReplicas, [parameters, .. state]);
            return;
        }
        Compare(bucket.Block, groups.Replicas, [parameters]);
        Compare(bucket.Block, groups.ShardReplicas, state);
    }

    /// <summary>What all ranks found; null: all replicas agree. Collective over the world.</summary>
    public ReplicaDifference? Conclude()
    {
        using var own = tensor(_found, ScalarType.Float64);
        using var sums = rank.Link.Upload(own);
        rank.Groups.World.AllReduce(TensorBuffer.Of(sums)).Wait();
        double[] all = rank.Link.Read<double>(sums);
        int world = rank.Groups.World.Size;
        int[] blocks = Positive(all.AsSpan(2 * world));
        return blocks.Length == 0
            ? null
            : new ReplicaDifference(blocks, Positive(all.AsSpan(0, world)), Positive(all.AsSpan(world, world)));
    }

    private void Compare(int block, IProcessGroup group, Tensor[] held)
    {
        if (group.Size == 1)
            return;
        using var own = tensor([Checksum(held)], ScalarType.Int64);
        using var mine = rank.Link.Upload(own);
        using var all = zeros([group.Size], ScalarType.Int64, rank.Link.Device);
        group.AllGather(TensorBuffer.Of(mine), TensorBuffer.Of(all)).Wait();
        long[] sums = rank.Link.Read<long>(all);
        if (sums.Distinct().Count() == 1 || group.Rank > 0)
            return;
        var usual = sums.GroupBy(sum => sum).MaxBy(equal => equal.Count())!;
        bool isMajority = usual.Count() * 2 > sums.Length;
        for (int member = 0; member < sums.Length; member++)
        {
            if (isMajority && sums[member] != usual.Key)
                _found[group.WorldRanks[member]]++;
            _found[rank.Groups.World.Size + group.WorldRanks[member]]++;
        }
        _found[2 * rank.Groups.World.Size + block]++;
    }

    private static int[] Positive(ReadOnlySpan<double> counts)
    {
        var places = new List<int>();
        for (int i = 0; i < counts.Length; i++)
            if (counts[i] > 0)
                places.Add(i);
        return [.. places];
    }

    private long Checksum(Tensor[] held)
    {
        var hash = new XxHash3();
        const long piece = 1 << 24;
        foreach (var flat in held)
        {
            for (long start = 0; start < flat.numel(); start += piece)
            {
                using var part = flat.narrow(0, start, Math.Min(piece, flat.numel() - start));
                if (rank.Link.IsDirect)
                    hash.Append(part.bytes);
                else
                    hash.Append(rank.Link.Read<byte>(part));
            }
        }
        return (long)hash.GetCurrentHashAsUInt64();
    }
}
