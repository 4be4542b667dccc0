using System.Text.Json;
using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>The timeline of a rank, as it travels.</summary>
public sealed record RankTimeline(int Rank, double ExposedShare, IReadOnlyList<TimelineEvent> Events);

/// <summary>Brings the timelines of all ranks together.</summary>
public static class TimelineExchange
{
    /// <summary>Timelines in the order of ranks, on every rank; all of them call it.</summary>
    public static IReadOnlyList<RankTimeline> Gather(Timeline mine, IProcessGroup world)
    {
        using var scope = NewDisposeScope();
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(new RankTimeline(mine.Rank, mine.ExposedShare(), mine.Events));
        var longest = tensor([(long)bytes.Length], ScalarType.Int64);
        world.AllReduce(TensorBuffer.Of(longest), ReduceOp.Max).Wait();
        long size = longest.item<long>();
        var part = full([size], Scalars.Of((byte)' '), ScalarType.Byte);
        bytes.CopyTo(part.bytes);
        var all = zeros([size * world.Size], ScalarType.Byte);
        world.AllGather(TensorBuffer.Of(part), TensorBuffer.Of(all)).Wait();
        return [.. Enumerable.Range(0, world.Size).Select(rank => Read(all.narrow(0, rank * size, size).bytes))];
    }

    private static RankTimeline Read(ReadOnlySpan<byte> bytes) => JsonSerializer.Deserialize<RankTimeline>(bytes)!;
}
