using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

[Collection("live handles are counted for the whole process")]
public sealed class ReleasableMemoryTests
{
    [Fact]
    public void ReleasedMemoryKeepsItsAddressAndReadsAsZeros()
    {
        using var memory = new ReleasableMemory(1 << 20);
        using var values = TensorMemory.FromPointer(memory.Address, [1 << 18], ScalarType.Float32);
        values.fill_(Scalars.Of(3));
        nint before = memory.Address;
        memory.Release();
        Assert.Equal(0, values.sum().item<float>());
        values.fill_(Scalars.Of(2));
        Assert.Equal(2 << 18, values.sum().item<float>());
        Assert.Equal(before, memory.Address);
    }

    [Fact]
    public void NothingCannotBeReserved() => Assert.Throws<ArgumentOutOfRangeException>(() => new ReleasableMemory(0));
}
