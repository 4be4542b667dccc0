using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

[Collection("live handles are counted for the whole process")]
public class TensorMemoryTests
{
    [Fact]
    public unsafe void TensorOverMemoryReadsAndWritesIt()
    {
        float* memory = (float*)NativeMemory.Alloc(6 * sizeof(float));
        new Span<float>(memory, 6).Fill(2);
        using (var tensor = TensorMemory.FromPointer((nint)memory, [2, 3], float32))
        {
            Assert.Equal([2, 3], tensor.shape);
            Assert.Equal((nint)memory, TensorMemory.DataPointer(tensor));
            using var doubled = tensor.mul_(Scalars.Of(3));
            Assert.Equal(6f, memory[5]);
        }
        Assert.Equal(6f, memory[0]);
        NativeMemory.Free(memory);
    }

    [Fact]
    public void LiveHandlesReturnToWhatTheyWere()
    {
        Collect();
        long before = Tensor.TotalCount;
        using (NewDisposeScope())
        {
            var x = randn(8, 8, requires_grad: true);
            x.matmul(x).sum().backward();
            x.grad!.split(2)[1].add_(Scalars.Of(1));
            Assert.True(Tensor.TotalCount > before);
        }
        Assert.Equal(before, Tensor.TotalCount);
    }

    /// <summary>The package's operations in place answer with handles of their own, each of which holds the memory.</summary>
    [Fact]
    public void ZerosGiveTheirMemoryBackAtTheirDisposal()
    {
        const long Count = 5 << 20;
        var zeros = TensorMemory.Zeros([Count], float32);
        long before = TensorMemory.CachedBytes;
        zeros.Dispose();
        Assert.InRange(TensorMemory.CachedBytes - before, Count * sizeof(float), long.MaxValue);
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
