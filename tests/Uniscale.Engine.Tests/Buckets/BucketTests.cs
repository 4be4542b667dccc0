using Uniscale.Engine.Buckets;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Buckets;

public sealed class BucketTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    public void ASumIsEmptyOnceAStepAndWhatNobodyAddedToIsZero(int zeroStage, int shards)
    {
        using var scope = NewDisposeScope();
        var layout = new FlatLayout(
            [TestParameters.Matrix("w", 7, 9), TestParameters.Vector("unused", 5), TestParameters.Vector("b", 10)],
            shards,
            0
        );
        using var bucket = new Bucket(0, layout, ScalarType.Float32, zeroStage, CPU);
        for (int step = 1; step <= 3; step++)
        {
            bucket.BeginStep();
            Assert.True(bucket.Sum(0).IsEmpty);
            Assert.False(bucket.Sum(0).IsEmpty);
            bucket.Sum(0).Values.fill_(Scalars.Of(step));
            // Every second step adds to what another does not.
            if (step % 2 == 0)
                bucket.Sum(1).Add(full([5], Scalars.Of(100)));
            else
                bucket.Sum(2).Begun().narrow(0, 3, 1).fill_(Scalars.Of(10));
            var whole = bucket.TakeWholeGradient();
            Assert.Equal(63 * step + (step % 2 == 0 ? 500 : 10), whole.sum().item<float>());
            Assert.Equal(layout.Count, whole.numel());
            if (bucket.GradientsAreSharded)
                whole.fill_(Scalars.Of(float.NaN)).Dispose();
        }
    }

    [Fact]
    public void AGradientOverwritesAnEmptySumAndIsAddedToAnother()
    {
        using var scope = NewDisposeScope();
        var values = full([3], Scalars.Of(double.NaN), ScalarType.Float32);
        new GradientSum(values, IsEmpty: true).Add(ones([3], ScalarType.BFloat16));
        GradientSum.FromTensor(values).Add(ones([3], ScalarType.BFloat16));
        Assert.Equal(6, values.sum().item<float>());
    }
}
