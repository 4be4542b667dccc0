using System.IO.Hashing;
using Uniscale.Collectives;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Parallel;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>Replicas that must hold the same bits do not: memory or hardware failed, or a layout is wrong.</summary>
public sealed class ReplicaMismatchException : Exception
{
    public ReplicaMismatchException(string message) : base(message) { }

    public ReplicaMismatchException(string message, Exception inner) : base(message, inner) { }

    public ReplicaMismatchException() { }
}

/// <summary>Compares a checksum of parameters across the ranks that hold the same ones.</summary>
internal static class ReplicaGuard
{
    /// <summary>Throws on every rank of the group, naming those that differ from the majority.</summary>
    public static void Compare(Bucket bucket, IProcessGroup group, string block)
    {
        if (group.Size == 1) return;
        using var mine = tensor([Checksum(bucket.ParametersAreSharded ? bucket.ParameterShard : bucket.WholeFlat)], ScalarType.Int64);
        using var all = zeros([group.Size], ScalarType.Int64);
        group.AllGather(TensorMemory.Buffer(mine), TensorMemory.Buffer(all)).Wait();
        long[] sums = [.. Enumerable.Range(0, group.Size).Select(i => all[i].item<long>())];
        if (sums.Distinct().Count() == 1) return;
        throw new ReplicaMismatchException(
            $"The weights of {block} {Difference(group.WorldRanks, sums)}: resume from the last checkpoint, and test the memory of that machine if it happens again.");
    }

    /// <summary>Who differs: the minority where there is one.</summary>
    private static string Difference(IReadOnlyList<int> ranks, long[] sums)
    {
        var usual = sums.GroupBy(sum => sum).MaxBy(group => group.Count())!;
        return usual.Count() * 2 > sums.Length
            ? $"on rank {string.Join(", ", ranks.Where((_, i) => sums[i] != usual.Key))} differ from those of the other replicas (ranks {string.Join(", ", ranks)})"
            : $"differ between the replicas on ranks {string.Join(", ", ranks)}";
    }

    private static long Checksum(Tensor flat)
    {
        var hash = new XxHash3();
        const long piece = 1 << 24;
        for (long start = 0; start < flat.numel(); start += piece)
        {
            using var part = flat.narrow(0, start, Math.Min(piece, flat.numel() - start));
            hash.Append(part.bytes);
        }
        return (long)hash.GetCurrentHashAsUInt64();
    }
}
