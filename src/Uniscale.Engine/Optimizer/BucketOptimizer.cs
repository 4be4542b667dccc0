using Uniscale.Engine.Buckets;
using static TorchSharp.torch;

namespace Uniscale.Engine.Optimizer;

/// <summary>Norm and update of one bucket's shard.</summary>
/// <param name="kernel">The arithmetic.</param>
public sealed class BucketOptimizer(IOptimizerKernel kernel)
{
    /// <summary>
    /// Sum of squares of the gradients that this rank counts. The replicas that hold the same shard share the work:
    /// each sums its part, so that over all ranks every element of the model counts once.
    /// </summary>
    /// <param name="bucket">A bucket whose gradients are reduced.</param>
    /// <param name="replica">This rank's place among the holders of the same shard.</param>
    /// <param name="replicaCount">Holders of the same shard.</param>
    public double SumOfSquares(Bucket bucket, int replica, int replicaCount)
    {
        double sum = 0;
        foreach (var range in OwnedRuns(bucket.Layout, replica, replicaCount))
        {
            using var part = bucket.GradientShard.narrow(0, range.Start - bucket.Layout.Shard.Start, range.Count);
            sum += kernel.SumOfSquares(part);
        }
        return sum;
    }

    /// <summary>Updates the shard, elements with decay and without in a run each; bf16 parameters are rounded from their masters.</summary>
    public void Update(Bucket bucket, AdamWStep step)
    {
        using var noGrad = no_grad();
        var layout = bucket.Layout;
        Run(new FlatSpan(0, layout.DecayEnd), step);
        Run(new FlatSpan(layout.DecayEnd, layout.Count), step with { WeightDecay = 0 });

        void Run(FlatSpan range, AdamWStep with)
        {
            var part = range.Intersect(layout.Shard);
            if (part.Count == 0) return;
            using var scope = NewDisposeScope();
            var rounded = ReferenceEquals(bucket.Master, bucket.ParameterShard) ? null : Part(bucket.ParameterShard);
            kernel.AdamW(Part(bucket.Master), rounded, Part(bucket.GradientShard), Part(bucket.FirstMoment), Part(bucket.SecondMoment), with);

            Tensor Part(Tensor shard) => shard.narrow(0, part.Start - layout.Shard.Start, part.Count);
        }
    }

    /// <summary>Stretches of the shard that this rank alone counts, neighbouring parameters joined.</summary>
    public static IEnumerable<FlatSpan> OwnedRuns(FlatLayout layout, int replica, int replicaCount)
    {
        var owned = layout.Shard.Part(replica, replicaCount);
        FlatSpan? open = null;
        foreach (var parameter in layout.Parameters.OrderBy(p => p.Range.Start))
        {
            if (!parameter.Parameter.IsOwner) continue;
            var part = parameter.Range.Intersect(owned);
            if (part.Count == 0) continue;
            if (open is { } run && part.Start - run.End < FlatLayout.Alignment) open = run with { End = part.End };
            else
            {
                if (open is { } done) yield return done;
                open = part;
            }
        }
        if (open is { } last) yield return last;
    }
}
