using System.Globalization;
using Uniscale.Configuration;

namespace Uniscale.Planning.Search;

/// <summary>A configuration changed so that it fits.</summary>
/// <param name="Settings">What was changed, as <c>--set</c> takes it.</param>
/// <param name="Bytes">What it needs.</param>
public sealed record FittingLayout(IReadOnlyList<string> Settings, double Bytes);

/// <summary>
/// Finds the layout that fits and differs least from one that does not: by the fewest settings, and of those the one that saves least,
/// which costs least time.
/// </summary>
public static class NearestLayout
{
    /// <summary>Microbatches of a step that is proposed, at most: a program of many more takes minutes to lay out.</summary>
    private const int MostMicrobatches = 1024;

    private static readonly RecomputeKind[] Recomputations = [RecomputeKind.None, RecomputeKind.Selective, RecomputeKind.Block];

    /// <summary>The nearest layout; null: none of the same number of ranks fits.</summary>
    /// <param name="config">What does not fit.</param>
    /// <param name="ranks">Ranks of the job.</param>
    /// <param name="limit">Bytes that there are.</param>
    /// <param name="bytesOf">Bytes of a changed configuration; throws where its layout cannot work.</param>
    public static FittingLayout? Of(RunConfiguration config, int ranks, double limit, Func<RunConfiguration, double> bytesOf)
    {
        foreach (
            var same in Candidates(config, ranks)
                .GroupBy(candidate => candidate.Settings.Length)
                .OrderBy(group => group.Key)
                .Where(group => group.Key > 0)
        )
        {
            var fitting = same.Select(candidate => (candidate.Settings, Bytes: BytesOf(candidate.Config, bytesOf)))
                .Where(candidate => candidate.Bytes <= limit)
                .ToArray();
            if (fitting.Length == 0)
                continue;
            var (settings, bytes) = fitting.MaxBy(candidate => candidate.Bytes);
            return new FittingLayout(settings, bytes);
        }
        return null;
    }

    private static double BytesOf(RunConfiguration config, Func<RunConfiguration, double> bytesOf)
    {
        try
        {
            return bytesOf(config);
        }
        catch (Exception broken) when (broken is UserErrorException or LayoutException)
        {
            return double.PositiveInfinity;
        }
    }

    private static IEnumerable<(RunConfiguration Config, string[] Settings)> Candidates(RunConfiguration config, int ranks)
    {
        var parallel = config.Parallel;
        foreach (int tensor in SearchSpace.Divisors(ranks / parallel.Context))
            foreach (int pipeline in SearchSpace.Divisors(ranks / parallel.Context / tensor))
            {
                int data = ranks / parallel.Context / tensor / pipeline;
                foreach (int micro in Microbatches(config, data))
                    foreach (
                        var recompute in Recomputations
                            .Where(kind => kind >= parallel.Recompute || kind == RecomputeKind.Block)
                            .Append(parallel.Recompute)
                            .Distinct()
                    )
                        foreach (
                            int stage in data * parallel.Context > 1
                                ? Enumerable.Range(parallel.Zero.Stage, 4 - parallel.Zero.Stage)
                                : [parallel.Zero.Stage]
                        )
                            foreach (bool behind in config.Checkpoint.Async ? (bool[])[true, false] : [false])
                                yield return Changed(config, tensor, pipeline, data, micro, recompute, stage, behind);
            }
    }

    private static (RunConfiguration, string[]) Changed(
        RunConfiguration config,
        int tensor,
        int pipeline,
        int data,
        int micro,
        RecomputeKind recompute,
        int stage,
        bool behind
    )
    {
        var parallel = config.Parallel;
        // Groups, chunks and schedules are made for the axes that they were written beside.
        bool isSameMesh = tensor == parallel.Tensor && pipeline == parallel.Pipeline;
        var changed = config with
        {
            Batch = config.Batch with { Micro = micro },
            Checkpoint = config.Checkpoint with { Async = behind },
            Parallel = parallel with
            {
                Tensor = tensor,
                Pipeline = pipeline,
                Data = isSameMesh ? parallel.Data : data,
                Recompute = recompute,
                Zero = parallel.Zero with { Stage = stage },
            },
        };
        return (changed, [.. Settings(config, changed)]);
    }

    private static IEnumerable<string> Settings(RunConfiguration from, RunConfiguration to)
    {
        var (before, after) = (from.Parallel, to.Parallel);
        if (before.Tensor != after.Tensor)
            yield return $"parallel.tensor={after.Tensor}";
        if (before.Pipeline != after.Pipeline)
            yield return $"parallel.pipeline={after.Pipeline}";
        if (before.Data != after.Data)
            yield return $"parallel.data={after.Data}";
        if (before.Recompute != after.Recompute)
            yield return $"parallel.recompute={after.Recompute.ToString().ToLowerInvariant()}";
        if (before.Zero.Stage != after.Zero.Stage)
            yield return $"parallel.zero.stage={after.Zero.Stage}";
        if (from.Batch.Micro != to.Batch.Micro)
            yield return $"batch.micro={to.Batch.Micro.ToString(CultureInfo.InvariantCulture)}";
        if (from.Checkpoint.Async != to.Checkpoint.Async)
            yield return "checkpoint.async=false";
    }

    /// <summary>The microbatch as it is, and smaller ones that divide the replica's share into not too many.</summary>
    private static IEnumerable<int> Microbatches(RunConfiguration config, int data)
    {
        int share = config.Batch.Global / Math.Max(1, data),
            now = config.Batch.Micro > 0 ? config.Batch.Micro : share;
        return SearchSpace
            .Divisors(Math.Max(1, share))
            .Where(size => size < now && share / size <= MostMicrobatches)
            .Append(config.Batch.Micro);
    }
}
