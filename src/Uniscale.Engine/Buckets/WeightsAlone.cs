using Uniscale.Checkpoints;
using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>Fills a bucket from a checkpoint that holds fp32 weights and no optimizer state, whatever type the bucket's parameters have.</summary>
internal sealed class WeightsAlone : IDisposable
{
    private readonly Bucket bucket;
    private readonly Tensor weights;
    private readonly FlatSpan held;

    /// <param name="bucket">The bucket; not owned.</param>
    public WeightsAlone(Bucket bucket)
    {
        this.bucket = bucket;
        held = bucket.ParametersAreSharded ? bucket.Layout.Shard : new FlatSpan(0, bucket.Layout.Count);
        weights = zeros([held.Count], ScalarType.Float32).DetachFromDisposeScope();
        Slices = [.. BucketSlices.Of(bucket, DirectLink.Instance.Image(), "", weights, held, ownedOnly: false)];
    }

    /// <summary>What the load fills.</summary>
    public IReadOnlyList<StateSlice> Slices { get; }

    /// <summary>Takes the loaded weights over; the optimizer's moments begin at 0.</summary>
    public void Apply(HostLink link)
    {
        using var gradientFree = no_grad();
        using var scope = NewDisposeScope();
        var shard = bucket.Layout.Shard;
        var there = link.Upload(weights);
        (bucket.ParametersAreSharded ? bucket.ParameterShard : bucket.WholeFlat).copy_(there);
        if (bucket.Type != ScalarType.Float32) bucket.Master.copy_(there.narrow(0, shard.Start - held.Start, shard.Count));
        bucket.FirstMoment.zero_();
        bucket.SecondMoment.zero_();
    }

    /// <inheritdoc/>
    public void Dispose() => weights.Dispose();
}
