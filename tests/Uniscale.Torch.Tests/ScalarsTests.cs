using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

/// <summary>Numbers beside tensors live as long as the call that takes them.</summary>
[Collection("live handles are counted for the whole process")]
public sealed class ScalarsTests
{
    [Fact]
    public void ANumberThatNobodyHoldsOutlivesACollection()
    {
        var number = Made();
        Collect();
        Assert.True(number.TryGetTarget(out _));
    }

    [Fact]
    public void OldNumbersAreLetGo()
    {
        var number = Made();
        for (int i = 0; i < 16; i++)
            Scalars.Of(i);
        Collect();
        Assert.False(number.TryGetTarget(out _));
    }

    [Theory]
    [InlineData(3, ScalarType.Int64)]
    [InlineData(-1, ScalarType.Int64)]
    public void WholeNumbersStayWhole(long value, ScalarType type)
    {
        using var sum = zeros(2, int64).add_(Scalars.Of(value));
        Assert.Equal(type, sum.dtype);
        Assert.Equal([value, value], sum.data<long>().ToArray());
    }

    // Not inlined, so that nothing in the test holds the object.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<Scalar> Made() => new(Scalars.Of(2.5));

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
