using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace TorchSharp.Tests.Native;

public class ErrorTests
{
    [Fact]
    public void LibtorchsMessageArrivesWithoutItsBacktrace()
    {
        using var scope = NewDisposeScope();
        var failure = Assert.Throws<ExternalException>(() => ones(2, 3).matmul(ones(4, 5)));
        Assert.Equal("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", failure.Message);
    }

    [Fact]
    public void AFailureLeavesTheNextCallAlone()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ExternalException>(() => ones(2).view(3));
        Assert.Equal(2f, ones(2).sum().item<float>());
    }

    [Fact]
    public void AReadInTheWrongTypeIsRefused()
    {
        using var tensor = ones(1);
        var failure = Assert.Throws<ArgumentException>(() => tensor.item<double>());
        Assert.Equal("Double is not compatible with Float32", failure.Message);
        Assert.Throws<ArgumentException>(() => ones(2).item<float>());
    }

    [Fact]
    public void ElementsThatDoNotFillAShapeAreRefused()
    {
        var failure = Assert.Throws<ArgumentException>(() => tensor(new float[5], [2, 3]));
        Assert.Contains("5 elements do not make a tensor of shape [2, 3]", failure.Message);
    }

    [Fact]
    public void ADeviceThatIsNotThereIsNamed()
    {
        Assert.SkipWhen(cuda.is_available(), "This machine has CUDA.");
        var failure = Assert.Throws<InvalidOperationException>(() => zeros(1, device: "cuda"));
        Assert.Contains("CUDA", failure.Message);
    }
}
