namespace Uniscale.Programs;

/// <summary>What numbers of a layout must satisfy. Each refusal says which number to change to what.</summary>
public static class SpecificationRules
{
    /// <summary>Refuses a layout that cannot work.</summary>
    /// <exception cref="LayoutException">With the first rule that is broken.</exception>
    public static void Check(StepSpecification spec)
    {
        CheckBatchAndSchedule(spec);
        CheckTensor(spec);
        CheckSequence(spec);
        CheckZero(spec);
        _ = StagePartition.Of(spec);
    }

    private static void CheckBatchAndSchedule(StepSpecification spec)
    {
        foreach (var axis in Enum.GetValues<Axis>())
            Require(spec.Mesh[axis] >= 1, $"parallel.{axis.ToString().ToLowerInvariant()} is {spec.Mesh[axis]}: set it to 1 or more");
        Require(spec.Mesh.Order.Count == 4 && spec.Mesh.Order.Distinct().Count() == 4, "parallel.order must name each of pp, dp, cp, tp once");
        Require(spec.Microbatches >= 1, $"the step has {spec.Microbatches} microbatches a replica: raise the global batch to at least one microbatch for each of the {spec.Mesh.Data} replicas");
        Require(spec.MicrobatchSize >= 1, $"the microbatch has {spec.MicrobatchSize} sequences: set it to 1 or more");
        var schedule = Schedules.ScheduleRegistry.Find(spec.Schedule);
        Require(spec.Chunks >= 1, $"parallel.chunks is {spec.Chunks}: set it to 1 or more");
        Require(spec.Chunks == 1 || schedule.Interleaves,
            $"schedule {spec.Schedule} runs one chunk a stage but parallel.chunks is {spec.Chunks}: set chunks to 1 or schedule to interleaved-1f1b");
        Require(spec.Recompute != Recomputation.EveryKth || spec.RecomputeEvery >= 1, $"parallel.recompute_every is {spec.RecomputeEvery}: set it to 1 or more");
    }

    private static void CheckTensor(StepSpecification spec)
    {
        var model = spec.Model;
        int tensor = spec.Mesh.Tensor;
        Require(model.Heads % tensor == 0, $"{model.Heads} heads cannot be divided over {tensor} tensor ranks: {SetTo("parallel.tensor", model.Heads, tensor)}");
        Require(model.KvHeads % tensor == 0 || tensor % model.KvHeads == 0,
            $"{model.KvHeads} key-value heads neither divide {tensor} tensor ranks nor are divided by them: {SetTo("parallel.tensor", model.KvHeads, tensor)}");
        Require(model.Ffn % tensor == 0, $"a feed-forward width of {model.Ffn} cannot be divided over {tensor} tensor ranks: set model.ffn to {RoundUp(model.Ffn, tensor)}");
        Require(model.Heads % model.KvHeads == 0, $"{model.Heads} heads cannot share {model.KvHeads} key-value heads evenly: {SetTo("model.kv_heads", model.Heads, model.KvHeads)}");
    }

    private static void CheckSequence(StepSpecification spec)
    {
        int context = spec.Model.Context;
        int parts = spec.Mesh.Context == 1 ? 1 : 2 * spec.Mesh.Context;
        Require(context % parts == 0,
            $"a context of {context} tokens cannot be cut into {parts} parts, two for each of {spec.Mesh.Context} context ranks (causal balance): set model.context to {RoundUp(context, parts)}");
        int local = context / spec.Mesh.Context;
        Require(!spec.SequenceParallel || local % spec.Mesh.Tensor == 0,
            $"{local} tokens of a sequence cannot be split over {spec.Mesh.Tensor} tensor ranks: set model.context to {RoundUp(context, parts * spec.Mesh.Tensor)} or parallel.sequence to false");
    }

    private static void CheckZero(StepSpecification spec)
    {
        Require(spec.ZeroStage is >= 0 and <= 3, $"parallel.zero.stage is {spec.ZeroStage}: set it to 0, 1, 2 or 3");
        Require(spec.ZeroGroup >= 1 && spec.ReplicaCount % spec.ZeroGroup == 0,
            $"a ZeRO group of {spec.ZeroGroup} does not divide {spec.ReplicaCount} replicas (data {spec.Mesh.Data} × context {spec.Mesh.Context}): "
            + SetTo("parallel.zero.group", spec.ReplicaCount, spec.ZeroGroup));
    }

    private static void Require(bool condition, string sentence)
    {
        if (!condition) throw new LayoutException(sentence);
    }

    /// <summary>Largest divisor of <paramref name="whole"/> that is not above the refused value.</summary>
    private static string SetTo(string key, int whole, int refused)
    {
        int divisor = Math.Clamp(refused, 1, Math.Max(1, whole));
        while (whole % divisor != 0) divisor--;
        return $"set {key} to {divisor}";
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
}
