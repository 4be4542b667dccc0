using Uniscale.Engine.Buckets;
using Uniscale.Kernels.Optimizer;
using Uniscale.Torch;
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
    /// <returns>fp64 [] where the gradients lie; the caller's scope owns it. Null where this rank counts none.</returns>
    public Tensor? SumOfSquares(Bucket bucket, int replica, int replicaCount)
    {
        Tensor? sum = null;
        var gradients = bucket.Views.OwnedGradients(replica, replicaCount);
        for (int i = 0; i < gradients.Count; i++)
        {
            var part = kernel.SumOfSquares(gradients[i]);
            sum = sum?.add_(part, Scalars.One) ?? part;
        }
        return sum;
    }

    /// <summary>Updates the shard, elements with decay and without in a run each; bf16 parameters are rounded from their masters.</summary>
    public void Update(Bucket bucket, AdamWStep step)
    {
        using var noGrad = no_grad();
        var runs = bucket.Views.Runs;
        for (int i = 0; i < runs.Count; i++)
        {
            var run = runs[i];
            kernel.AdamW(
                run.Master,
                run.Rounded,
                run.Gradient,
                run.FirstMoment,
                run.SecondMoment,
                run.Decays ? step : step with { WeightDecay = 0 }
            );
        }
    }
}
