using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>
/// The one gate from a configuration to a layout. What passes <see cref="CheckWorld"/> becomes a <see cref="StepSpecification"/>
/// (<see cref="SpecificationBuilder"/>) and a program of every rank; what does not is refused here, before anything is read or allocated.
/// </summary>
public static class LayoutGate
{
    /// <summary>Refuses a layout that cannot work on any number of ranks.</summary>
    /// <exception cref="UserErrorException">The first rule that does not hold, with the place of the value.</exception>
    public static void Check(ResolvedConfiguration resolved)
    {
        int replicas = resolved.Value.Parallel.Data;
        foreach (var (key, sentence) in Broken(resolved.Value).Concat(replicas > 0 ? OnReplicas(resolved.Value, replicas) : []))
        {
            var origin = resolved.OriginOf(key);
            throw new UserErrorException((origin is Configuration.Loading.Origin.InDefault ? "" : $"{origin.Exact}: ") + sentence);
        }
    }

    /// <summary>Refuses a layout that does not fit a number of ranks, or cannot work on any.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="ranks">Ranks of the job.</param>
    /// <returns>The number of replicas (data axis).</returns>
    /// <exception cref="UserErrorException">The first rule that does not hold.</exception>
    public static int CheckWorld(RunConfiguration configuration, int ranks)
    {
        foreach (var broken in Broken(configuration).Concat(LayoutRules.World(configuration.Parallel, ranks)))
            throw new UserErrorException(broken.Sentence);
        int replicas = ranks / configuration.Parallel.ReplicaRanks;
        foreach (var broken in OnReplicas(configuration, replicas))
            throw new UserErrorException(broken.Sentence);
        return replicas;
    }

    /// <summary>Refuses a model whose own sizes do not fit together.</summary>
    /// <exception cref="UserErrorException">The first rule that does not hold.</exception>
    public static void CheckModel(ModelSection model)
    {
        foreach (var broken in LayoutRules.Heads(model))
            throw new UserErrorException(broken.Sentence);
    }

    /// <summary>Refuses a model that so many tensor ranks cannot divide.</summary>
    /// <exception cref="UserErrorException">The first rule that does not hold.</exception>
    public static void CheckTensor(ModelShape model, int tensor)
    {
        foreach (
            var broken in LayoutRules
                .Tensor(model.Heads, model.KvHeads, model.Ffn, tensor)
                .Concat(LayoutRules.Vocabulary(model.Vocabulary, tensor))
        )
            throw new UserErrorException(broken.Sentence);
    }

    private static IEnumerable<BrokenRule> Broken(RunConfiguration configuration)
    {
        var (model, parallel) = (configuration.Model, configuration.Parallel);
        if ((decimal)parallel.Tensor * parallel.Pipeline * parallel.Context * Math.Max(1, parallel.Data) > Limits.Ranks)
        {
            return
            [
                new(
                    "parallel.tensor",
                    $"The layout data {parallel.Data} × tensor {parallel.Tensor} × pipeline {parallel.Pipeline} × context {parallel.Context} needs more than {Limits.Ranks} ranks: lower one of them."
                ),
            ];
        }
        return
        [
            .. LayoutRules.Heads(model),
            .. LayoutRules.Tensor(model.Heads, model.KvHeadCount, model.FfnWidth, parallel.Tensor),
            .. model.Vocabulary > 0 ? LayoutRules.Vocabulary(model.Vocabulary, parallel.Tensor) : [],
            .. OfSequences(configuration),
            .. LayoutRules.Chunks(parallel.Schedule, parallel.Chunks),
            .. LayoutRules.Interleaves(parallel.Schedule, parallel.Pipeline, parallel.Chunks),
            .. LayoutRules.Stages(parallel.Pipeline, parallel.Chunks, model.Layers),
            .. LayoutRules.Order(parallel.Order),
            .. OfRecomputation(parallel),
        ];
    }

    private static IEnumerable<BrokenRule> OfSequences(RunConfiguration configuration)
    {
        var (model, parallel) = (configuration.Model, configuration.Parallel);
        if (parallel.Sequence && parallel.Tensor == 1)
            yield return new(
                "parallel.sequence",
                "parallel.sequence splits norms within the tensor group, but parallel.tensor is 1: set parallel.tensor to 2 or more, or parallel.sequence to false."
            );
        var lengths = configuration
            .Phases.Select((phase, i) => (Key: $"phases[{i}].context", Length: phase.Context ?? model.Context))
            .Prepend((Key: "model.context", Length: model.Context));
        foreach (var (key, length) in lengths)
            foreach (var broken in LayoutRules.Sequence(key, length, parallel.Context, parallel.Sequence ? parallel.Tensor : 1))
                yield return broken;
        if (parallel.ContextMethod != ContextKind.AllToAll)
            yield break;
        foreach (var broken in LayoutRules.AllToAll(model.Heads / parallel.Tensor, parallel.Context))
            yield return broken;
    }

    private static IEnumerable<BrokenRule> OfRecomputation(ParallelSection parallel)
    {
        if (parallel.Recompute != RecomputeKind.EveryKth && parallel.RecomputeEvery != 1)
            yield return new(
                "parallel.recompute_every",
                $"parallel.recompute_every is {parallel.RecomputeEvery}, but parallel.recompute is not every-kth: set parallel.recompute to every-kth, or take parallel.recompute_every out."
            );
    }

    private static IEnumerable<BrokenRule> OnReplicas(RunConfiguration configuration, int replicas)
    {
        foreach (var broken in LayoutRules.ZeroGroup(configuration.Parallel.Zero.Group, replicas * configuration.Parallel.Context))
            yield return broken;
        foreach (var (key, batch, context) in configuration.Batches())
            foreach (var (_, sequences) in BatchRamp.Of(batch, context, $"{key}.ramp"))
                foreach (var broken in OfBatch(configuration, key, sequences, batch.Micro, replicas))
                    yield return broken;
    }

    private static IEnumerable<BrokenRule> OfBatch(RunConfiguration configuration, string key, int sequences, int micro, int replicas)
    {
        BrokenRule[] broken = [.. LayoutRules.Batch(key, sequences, micro, replicas)];
        return broken.Length > 0
            ? broken
            : LayoutRules.Length(
                configuration.Model.Layers,
                Microbatching.Of(sequences / replicas, micro, configuration.Parallel.Pipeline).Count
            );
    }
}
