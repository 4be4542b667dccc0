using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Initialization;
using Uniscale.Engine.Mesh;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Programs;
using static TorchSharp.torch;

namespace Uniscale.Training.Runtime;

/// <summary>Makes the blocks of a rank: which it holds, the buffers of their parameters, and first weights.</summary>
internal static class BlockFactory
{
    /// <summary>Blocks of this rank's stage, with first weights that are a function of (seed, name, element).</summary>
    public static IReadOnlyList<BlockState> Build(
        RunConfiguration configuration, StepSpecification specification, ProcessGroups groups, ScalarType type, HostLink link)
    {
        var row = Transformer.Blocks(configuration.Model, specification.Model.Vocabulary);
        var plan = new ShardingPlan(specification.Model, groups.Tensor.Size, groups.Tensor.Rank);
        var made = new Dictionary<string, ParameterSlot>();
        var states = new List<BlockState>();
        foreach (int number in StagePartition.Of(specification).BlocksOf(groups.Coordinate.Pipeline))
        {
            var block = row[number];
            // A tied head whose embedding lies on this rank has no matrix of its own: it reads the embedding's slot.
            var own = block.Parameters.Where(spec => !made.ContainsKey(spec.Name)).Select(plan.Local).ToList();
            bool copy = number == specification.Model.Head && specification.TiedAcrossStages;
            if (copy) own = [.. own.Select(parameter => parameter.Spec.Name == row[0].Parameters[0].Name ? parameter with { IsOwner = false } : parameter)];
            var layout = new FlatLayout(own, groups.Shards.Size, groups.Shards.Rank);
            var common = specification.Sharding == 3 && layout.ShardCount > 1 ? groups.Shards.Share(Bucket.WholeBytes(layout, type)) : null;
            var bucket = new Bucket(number, layout, type, specification.Sharding, link.Device, common);
            for (int i = 0; i < own.Count; i++) made[own[i].Spec.Name] = new ParameterSlot(bucket, i);
            FirstWeights(bucket, configuration.Train.Seed, link);
            states.Add(new BlockState(number, block, bucket, [.. block.Parameters.Select(spec => made[spec.Name])]));
        }
        return states;
    }

    /// <summary>Fills shard, master and whole parameters; only the whole ones of the block at hand exist at a time under ZeRO-3.</summary>
    private static void FirstWeights(Bucket bucket, long seed, HostLink link)
    {
        using var noGrad = no_grad();
        using var drawn = zeros([bucket.Layout.Count], ScalarType.Float32);
        foreach (var place in bucket.Layout.Parameters)
        {
            using var view = Bucket.View(drawn, place);
            ParameterInitializer.Fill(view, place.Parameter, seed);
        }
        using var whole = link.Upload(drawn);
        using var shard = whole.narrow(0, bucket.Layout.Shard.Start, bucket.Layout.Shard.Count);
        bucket.Master.copy_(shard);
        if (bucket.ParametersAreSharded) bucket.ParameterShard.copy_(shard);
        else bucket.WholeFlat.copy_(whole);
    }
}
