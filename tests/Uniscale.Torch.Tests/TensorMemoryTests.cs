using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

[Collection("live handles are counted for the whole process")]
public class TensorMemoryTests
{
    [Fact]
    public unsafe void TensorOverMemoryReadsAndWritesIt()
    {
        var memory = (float*)NativeMemory.Alloc(6 * sizeof(float));
        new Span<float>(memory, 6).Fill(2);
        using (var tensor = TensorMemory.FromPointer((nint)memory, [2, 3], float32))
        {
            Assert.Equal([2, 3], tensor.shape);
            Assert.Equal((nint)memory, TensorMemory.DataPointer(tensor));
            using var doubled = tensor.mul_(3);
            Assert.Equal(6f, memory[5]);
        }
        Assert.Equal(6f, memory[0]);
        NativeMemory.Free(memory);
    }

    [Fact]
    public void StridesChooseTheElements()
    {
        var array = new[] { 0f, 1, 2, 3, 4, 5 };
        var pin = GCHandle.Alloc(array, GCHandleType.Pinned);
        using (var columns = TensorMemory.FromPointer(pin.AddrOfPinnedObject(), [3, 2], [1, 3], float32))
            Assert.Equal([0f, 3, 1, 4, 2, 5], columns.data<float>().ToArray());
        pin.Free();
    }

    [Fact]
    public void TensorKeepsTheOwnerOfItsMemoryAlive()
    {
        var (tensor, owner) = OverPinnedArray();
        Collect();
        Assert.True(owner.IsAlive);
        Assert.Equal(7f, tensor[1].item<float>());
        tensor.Dispose();
        Collect();
        Assert.False(owner.IsAlive);
    }

    [Fact]
    public void LiveHandlesReturnToWhatTheyWere()
    {
        Collect();
        var before = TensorMemory.LiveHandleCount;
        using (NewDisposeScope())
        {
            var x = randn(8, 8, requires_grad: true);
            x.matmul(x).sum().backward();
            x.grad!.split(2)[1].add_(1);
            Assert.True(TensorMemory.LiveHandleCount > before);
        }
        Assert.Equal(before, TensorMemory.LiveHandleCount);
    }

    [Fact]
    public void AnyOperatorCanBeCalledByName()
    {
        using var weight = arange(12, float32).view(4, 3);
        using var tokens = tensor(new long[] { 2, 0 });
        using var rows = new TorchOperator("aten::embedding").Call(weight, tokens);
        Assert.Equal([6f, 7, 8, 0, 1, 2], rows.data<float>().ToArray());
    }

    [Fact]
    public void UnknownOperatorIsNamed()
    {
        var failure = Assert.Throws<ExternalException>(() => new TorchOperator("aten::nothing", "here"));
        Assert.Contains("aten::nothing.here", failure.Message);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (Tensor, WeakReference) OverPinnedArray()
    {
        var array = GC.AllocateArray<float>(4, pinned: true);
        array[1] = 7;
        var address = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        return (TensorMemory.FromPointer(address, [4], float32, array), new WeakReference(array));
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
