using Uniscale.Configuration;
using Uniscale.Programs.Schedules;

namespace Uniscale.Programs;

/// <summary>A rule that a layout does not keep.</summary>
/// <param name="Key">Configuration key of the number to change first.</param>
/// <param name="Sentence">What is wrong, and which number to change to what.</param>
public readonly record struct BrokenRule(string Key, string Sentence);

/// <summary>
/// What the numbers of a layout must satisfy: each rule and its sentence once. <see cref="SpecificationRules"/> applies those that a step
/// program
/// needs, <see cref="LayoutGate"/> all of them to a configuration.
/// </summary>
internal static class LayoutRules
{
    /// <summary>Width of heads, and heads that divide the model evenly.</summary>
    public static IEnumerable<BrokenRule> Heads(ModelSection model)
    {
        if ((long)model.Heads * model.HeadWidth > Limits.Width)
            yield return new(
                "model.heads",
                $"model.heads {model.Heads} × the width of a head {model.HeadWidth} is {(long)model.Heads * model.HeadWidth}, but must be at most {Limits.Width}: lower model.heads or model.head_dim."
            );
        if (model.HeadDim == 0 && model.Hidden % model.Heads != 0)
            yield return new(
                "model.heads",
                $"model.heads is {model.Heads}, which does not divide model.hidden ({model.Hidden}): "
                    + $"set model.heads to {Divisors(model.Hidden, model.Heads)}, model.hidden to {RoundUp(model.Hidden, model.Heads)}, or give model.head_dim."
            );
        foreach (var broken in KeyValueHeads(model.Heads, model.KvHeadCount))
            yield return broken;
    }

    /// <summary>Query heads share key-value heads evenly.</summary>
    public static IEnumerable<BrokenRule> KeyValueHeads(int heads, int keyValueHeads)
    {
        if (heads % keyValueHeads != 0)
            yield return new(
                "model.kv_heads",
                $"model.kv_heads is {keyValueHeads}, which does not divide model.heads ({heads}): set model.kv_heads to {Divisors(heads, keyValueHeads)}."
            );
    }

    /// <summary>What tensor ranks divide: heads, key-value heads (or a head is on several ranks), the feed-forward layer.</summary>
    public static IEnumerable<BrokenRule> Tensor(int heads, int keyValueHeads, int feedForward, int tensor)
    {
        if (heads % tensor != 0)
            yield return new(
                "parallel.tensor",
                $"parallel.tensor is {tensor}, which does not divide model.heads ({heads}): set parallel.tensor to {Divisors(heads, tensor)}."
            );
        if (keyValueHeads % tensor != 0 && tensor % keyValueHeads != 0)
            yield return new(
                "parallel.tensor",
                $"parallel.tensor is {tensor}, which neither divides model.kv_heads ({keyValueHeads}) nor is a multiple of it: set parallel.tensor to {Divisors(keyValueHeads, tensor)} or {RoundUp(tensor, keyValueHeads)}."
            );
        if (feedForward % tensor != 0)
            yield return new(
                "parallel.tensor",
                $"parallel.tensor is {tensor}, which does not divide the feed-forward width ({feedForward}): set model.ffn to {RoundUp(feedForward, tensor)}."
            );
    }

    /// <summary>Every tensor rank has entries of the vocabulary, of which each takes as many rows, the last ones padded.</summary>
    public static IEnumerable<BrokenRule> Vocabulary(long vocabulary, int tensor)
    {
        long rows = (vocabulary + tensor - 1) / tensor;
        if (vocabulary <= (tensor - 1) * rows)
            yield return new(
                "parallel.tensor",
                $"parallel.tensor is {tensor}, which leaves a rank without entries of a vocabulary of {vocabulary}: set parallel.tensor lower."
            );
    }

    /// <summary>Context ranks are dealt an early and a late piece of the sequence each, so that causal work is even; under sequence
    /// parallelism tensor ranks
    /// divide each piece.</summary>
    /// <param name="key">Key of the length.</param>
    /// <param name="length">Tokens of a sequence.</param>
    /// <param name="context">Context ranks.</param>
    /// <param name="parts">Tensor ranks that divide the sequence; 1 without sequence parallelism.</param>
    public static IEnumerable<BrokenRule> Sequence(string key, int length, int context, int parts)
    {
        int pieces = (context == 1 ? 1 : context * 2) * parts;
        if (length % pieces != 0)
            yield return new(
                key,
                $"{key} is {length}, which the layout cannot cut into {pieces} equal pieces: set it to {RoundUp(length, pieces)}."
            );
    }

    /// <summary>All-to-all attention exchanges the heads of a tensor rank for sequence.</summary>
    public static IEnumerable<BrokenRule> AllToAll(int heads, int context)
    {
        if (context > 1 && heads % context != 0)
            yield return new(
                "parallel.context",
                $"parallel.context is {context}, which does not divide the {heads} heads of a tensor rank, as all-to-all needs: set parallel.context_method to ring, or parallel.context to {Divisors(heads, context)}."
            );
    }

    /// <summary>The schedule exists, and has chunks only if it interleaves.</summary>
    public static IEnumerable<BrokenRule> Chunks(string schedule, int chunks)
    {
        if (!ScheduleRegistry.TryFind(schedule, out var found))
            yield return new("parallel.schedule", ScheduleRegistry.Unknown(schedule));
        else if (chunks > 1 && !found.Interleaves)
            yield return new("parallel.chunks", $"parallel.chunks is {chunks}, but only {Interleaving()}, or parallel.chunks to 1.");
    }

    /// <summary>A schedule that interleaves has something to interleave; without, it is another's equal at a higher price.</summary>
    public static IEnumerable<BrokenRule> Interleaves(string schedule, int stages, int chunks)
    {
        if (!ScheduleRegistry.TryFind(schedule, out var found) || !found.Interleaves)
            yield break;
        if (stages == 1)
            yield return new(
                "parallel.schedule",
                $"parallel.schedule is {schedule}, but parallel.pipeline is 1: set parallel.pipeline to 2 or more, or parallel.schedule to 1f1b."
            );
        else if (chunks == 1)
            yield return new(
                "parallel.chunks",
                $"parallel.schedule is {schedule}, but parallel.chunks is 1: set parallel.chunks to 2 or more, or parallel.schedule to 1f1b."
            );
    }

    /// <summary>Every piece of the model has a layer, on average: a stage that has none stands idle most of the time.</summary>
    public static IEnumerable<BrokenRule> Stages(int stages, int chunks, int layers)
    {
        int pieces = stages * chunks;
        if (pieces > layers)
            yield return new(
                "parallel.pipeline",
                $"parallel.pipeline {stages} × parallel.chunks {chunks} cuts the model into {pieces} pieces, but it has {layers} layers: "
                    + $"set parallel.pipeline to at most {Math.Max(1, layers / chunks)}, or model.layers to {pieces}."
            );
    }

    /// <summary>The order of ranks names every axis once.</summary>
    public static IEnumerable<BrokenRule> Order(IReadOnlyList<string> order)
    {
        if (!order.Order(StringComparer.Ordinal).SequenceEqual(MeshAxis.All.Select(axis => axis.Letters).Order(StringComparer.Ordinal)))
            yield return new(
                "parallel.order",
                $"parallel.order is [{string.Join(", ", order)}], but must name each of {InWords(MeshAxis.All.Select(axis => axis.Letters))} once, the slowest first."
            );
    }

    /// <summary>A group that shares sharded state divides the replicas.</summary>
    /// <param name="group">Members; 0: all replicas.</param>
    /// <param name="replicas">Ranks that hold the same parameters: data × context.</param>
    public static IEnumerable<BrokenRule> ZeroGroup(int group, int replicas)
    {
        if (group > 0 && replicas % group != 0)
            yield return new(
                "parallel.zero.group",
                $"parallel.zero.group is {group}, which does not divide the {replicas} replicas (data × context): set it to {Divisors(replicas, group)}, or 0 for all."
            );
    }

    /// <summary>A global batch divides over the replicas, and each share into microbatches.</summary>
    /// <param name="key">Key of the section.</param>
    /// <param name="sequences">Sequences of a step.</param>
    /// <param name="micro">Sequences of a microbatch; 0: what fits.</param>
    /// <param name="replicas">Data ranks.</param>
    public static IEnumerable<BrokenRule> Batch(string key, int sequences, int micro, int replicas)
    {
        long unit = (long)replicas * Math.Max(1, micro);
        if (sequences % unit == 0)
            yield break;
        string what = micro > 0 ? $"{replicas} replicas × {key}.micro {micro} = {unit}" : $"the {replicas} replicas";
        yield return new(
            $"{key}.global",
            $"{key}.global is {sequences}, which is no multiple of {what}: set {key}.global to {RoundUp(sequences, unit)}"
                + $"{(sequences > unit ? $" or {sequences / unit * unit}" : "")}, or change the layout."
        );
    }

    /// <summary>The program of a step is not longer than memory holds.</summary>
    public static IEnumerable<BrokenRule> Length(int layers, int microbatches)
    {
        if ((long)layers * microbatches > Limits.Passes)
            yield return new(
                "batch.micro",
                $"{layers} layers × {microbatches} microbatches is more than {Limits.Passes} passes, too long for the program of one step: raise batch.micro or the number of replicas, or lower batch.global."
            );
    }

    /// <summary>The layout has as many ranks as there are.</summary>
    public static IEnumerable<BrokenRule> World(ParallelSection parallel, int ranks)
    {
        int replica = parallel.ReplicaRanks;
        string axes = $"tensor {parallel.Tensor} × pipeline {parallel.Pipeline} × context {parallel.Context}";
        if (parallel.Data > 0 && parallel.Data * replica != ranks)
            yield return new(
                "parallel.data",
                $"The layout data {parallel.Data} × {axes} needs {parallel.Data * replica} ranks, but there are {ranks}: "
                    + $"start {parallel.Data * replica} ranks{(ranks % replica == 0 ? $", or set parallel.data to {ranks / replica} (or 0)" : "")}."
            );
        if (ranks is < 1 or > Limits.Ranks)
            yield return new("parallel.data", $"{ranks} is not a number of ranks: give 1 to {Limits.Ranks}.");
        if (ranks % replica != 0)
            yield return new(
                "parallel.data",
                $"The layout {axes} needs a multiple of {replica} ranks, but there are {ranks}: start {RoundUp(ranks, replica)} ranks, or change parallel.tensor, parallel.pipeline or parallel.context."
            );
    }

    private static string Interleaving()
    {
        string[] names = [.. ScheduleRegistry.All.Where(schedule => schedule.Interleaves).Select(schedule => schedule.Name)];
        return names.Length == 1
            ? $"the interleaved schedule has chunks: set parallel.schedule to {names[0]}"
            : $"schedules that interleave have chunks: set parallel.schedule to {string.Join(" or ", names)}";
    }

    private static string InWords(IEnumerable<string> names)
    {
        string[] all = [.. names];
        return $"{string.Join(", ", all[..^1])} and {all[^1]}";
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;

    /// <summary>The divisors of <paramref name="number"/> on both sides of <paramref name="wanted"/>, in words.</summary>
    private static string Divisors(int number, int wanted)
    {
        int[] divisors =
        [
            .. Enumerable
                .Range(1, (int)Math.Sqrt(number))
                .Where(candidate => number % candidate == 0)
                .SelectMany(candidate => (int[])[candidate, number / candidate])
                .Distinct()
                .Order(),
        ];
        int below = divisors.LastOrDefault(divisor => divisor < wanted),
            above = divisors.FirstOrDefault(divisor => divisor > wanted);
        return (below, above) switch
        {
            (0, _) => $"{above}",
            (_, 0) => $"{below}",
            _ => $"{below} or {above}",
        };
    }
}
