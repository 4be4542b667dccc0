namespace Uniscale.Programs;

/// <summary>What a step program needs of the numbers that it is a function of, whoever wrote them down: the rules of
/// <see cref="LayoutRules"/>, but those
/// that only keep a run from wasting ranks.</summary>
public static class SpecificationRules
{
    /// <summary>Refuses a layout that cannot work.</summary>
    /// <exception cref="LayoutException">With the first rule that is broken.</exception>
    public static void Check(StepSpecification spec)
    {
        foreach (var broken in Broken(spec))
            throw new LayoutException(broken.Sentence);
        _ = StagePartition.Of(spec);
    }

    private static IEnumerable<BrokenRule> Broken(StepSpecification spec)
    {
        var (model, mesh) = (spec.Model, spec.Mesh);
        // Rules divide by these.
        foreach (var (key, value) in Positive(spec))
        {
            if (value < 1)
                return [new(key, $"{key} is {value}: set it to 1 or more.")];
        }
        return
        [
            .. Own(spec),
            .. LayoutRules.Order([.. mesh.Order.Select(axis => MeshAxis.Of(axis).Letters)]),
            .. LayoutRules.Chunks(spec.Schedule, spec.Chunks),
            .. LayoutRules.KeyValueHeads(model.Heads, model.KvHeads),
            .. LayoutRules.Tensor(model.Heads, model.KvHeads, model.Ffn, mesh.Tensor),
            .. LayoutRules.Sequence("model.context", model.Context, mesh.Context, spec.SequenceParallel ? mesh.Tensor : 1),
            .. LayoutRules.ZeroGroup(spec.ZeroGroup, spec.ReplicaCount),
            .. LayoutRules.Length(model.Layers, spec.Microbatches),
        ];
    }

    private static IEnumerable<(string Key, int Value)> Positive(StepSpecification spec) =>
        [
            .. MeshAxis.All.Select(axis => (axis.Key, spec.Mesh[axis.Axis])),
            ("parallel.chunks", spec.Chunks),
            ("parallel.recompute_every", spec.RecomputeEvery),
            ("parallel.zero.group", spec.ZeroGroup),
            ("batch.micro", spec.MicrobatchSize),
            ("model.kv_heads", spec.Model.KvHeads),
        ];

    /// <summary>What a configuration cannot get wrong.</summary>
    private static IEnumerable<BrokenRule> Own(StepSpecification spec)
    {
        if (spec.Microbatches < 1)
            yield return new(
                "batch.global",
                $"The step has {spec.Microbatches} microbatches a replica: raise the global batch to at least one microbatch for each of the {spec.Mesh.Data} replicas."
            );
        if (spec.ZeroStage is < 0 or > 3)
            yield return new("parallel.zero.stage", $"parallel.zero.stage is {spec.ZeroStage}: set it to 0, 1, 2 or 3.");
    }
}
