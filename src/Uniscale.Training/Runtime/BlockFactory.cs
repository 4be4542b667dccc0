using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Initialization;
using Uniscale.Engine.Mesh;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Programs;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Training.Runtime;

/// <summary>Cuts blocks into several buckets, parts of which have replicas of their own.</summary>
/// <param name="BucketOf">Number of the bucket in which a parameter lies; those of a block that have the same share it.</param>
/// <param name="Groups">Replicas of each bucket; null: the layout's.</param>
internal sealed record BucketPlan(Func<LocalParameter, int> BucketOf, IReadOnlyList<ReplicaGroups?> Groups)
{
    /// <summary>One bucket a block, on the layout's replicas.</summary>
    public static BucketPlan Whole { get; } = new(_ => 0, [null]);
}

/// <summary>Makes the blocks of a rank: which it holds, the buffers of their parameters, and first weights.</summary>
internal static class BlockFactory
{
    /// <summary>Blocks of this rank's stage, with first weights that are a function of (seed, name, element).</summary>
    public static IReadOnlyList<BlockState> Build(
        RunConfiguration configuration,
        StepSpecification specification,
        ProcessGroups groups,
        ScalarType type,
        HostLink link,
        BucketPlan? buckets = null,
        bool isFrozen = false
    )
    {
        var row = Transformer.Blocks(configuration.Model, specification.Model.Vocabulary);
        var slots = new Dictionary<string, ParameterSlot>();
        var states = new List<BlockState>();
        foreach (var (number, block, own) in OwnParameters.Of(row, specification, groups.Coordinate))
        {
            var made = Buckets(number, own, buckets ?? BucketPlan.Whole);
            foreach (var bucket in made)
                for (int i = 0; i < bucket.Layout.Parameters.Count; i++)
                    slots[bucket.Layout.Parameters[i].Parameter.Spec.Name] = new ParameterSlot(bucket, i);
            foreach (var bucket in made)
                FirstWeights(bucket, configuration.Train.Seed, link);
            states.Add(new BlockState(number, block, made, [.. block.Parameters.Select(spec => slots[spec.Name])]));
        }
        return states;

        // A tied head has no parameter of its own, but a bucket like every block.
        List<Bucket> Buckets(int number, IReadOnlyList<LocalParameter> own, BucketPlan plan) =>
            own.Count == 0
                ? [Make(number, own, null)]
                : [.. own.GroupBy(plan.BucketOf).OrderBy(part => part.Key).Select(part => Make(number, [.. part], plan.Groups[part.Key]))];

        Bucket Make(int number, IReadOnlyList<LocalParameter> parameters, ReplicaGroups? replicas)
        {
            var shards = (replicas ?? groups.Common).Shards;
            var layout = new FlatLayout(parameters, shards.Size, shards.Rank);
            var common = specification.Sharding == 3 && layout.ShardCount > 1 ? shards.Share(Bucket.WholeBytes(layout, type)) : null;
            return new Bucket(number, layout, type, specification.Sharding, link.Device, common, isFrozen) { Groups = replicas };
        }
    }

    /// <summary>Fills shard, master and whole parameters; only the whole ones of the block at hand exist at a time under ZeRO-3.</summary>
    private static void FirstWeights(Bucket bucket, long seed, HostLink link)
    {
        if (bucket.Layout.Count == 0)
            return;
        using var noGrad = no_grad();
        // Not in the allocators' memory, which would wait for a later tensor of this size.
        using var memory = new ReleasableMemory(bucket.Layout.Count * sizeof(float));
        using var drawn = TensorMemory.FromPointer(memory.Address, [bucket.Layout.Count], ScalarType.Float32);
        foreach (var place in bucket.Layout.Parameters)
        {
            using var view = Bucket.View(drawn, place);
            ParameterInitializer.Fill(view, place.Parameter, seed);
        }
        using var whole = link.Upload(drawn);
        using var shard = whole.narrow(0, bucket.Layout.Shard.Start, bucket.Layout.Shard.Count);
        bucket.Master.copy_(shard);
        if (bucket.ParametersAreSharded)
            bucket.ParameterShard.copy_(shard);
        else
            bucket.WholeFlat.copy_(whole);
    }
}
