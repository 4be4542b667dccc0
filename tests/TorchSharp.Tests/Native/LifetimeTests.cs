using static TorchSharp.torch;

namespace TorchSharp.Tests.Native;

public class LifetimeTests
{
    /// <summary>
    /// Tensors that nobody disposes, functions of C# in the graph and a busy garbage collector, on several threads: a handle released while
    /// libtorch reads it, or a callback released while it runs, would end the process or change a gradient.
    /// </summary>
    [Fact]
    public void TheGarbageCollectorReleasesNothingInUse()
    {
        using var done = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!done.IsCancellationRequested)
            {
                GC.Collect(0);
                Thread.Sleep(1);
            }
        });
        collector.Start();
        var wrong = 0;
        var workers = Enumerable.Range(0, 3).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 150; i++)
                Interlocked.Add(ref wrong, Gradient().allclose(full(4, 4, 12.0)) ? 0 : 1);
        })).ToList();
        workers.ForEach(worker => worker.Start());
        workers.ForEach(worker => worker.Join());
        done.Cancel();
        collector.Join();
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void AHandleGivenUpIsNotReleased()
    {
        var first = ones(2);
        var second = Tensor.UnsafeCreateTensor(first.DecoupleFromNativeHandle());
        Assert.True(first.IsInvalid);
        first.Dispose();
        Assert.Equal(2f, second.sum().item<float>());
        second.Dispose();
    }

    [Fact]
    public void AnAliasKeepsTheTensorAlive()
    {
        var tensor = ones(2);
        using var alias = tensor.alias();
        tensor.Dispose();
        Assert.Equal(2f, alias.sum().item<float>());
    }

    // The gradient of Σ 3x·J, J a 4x4 matrix of ones: 3·4 everywhere.
    private static Tensor Gradient()
    {
        var x = full(4, 4, 2.0, requires_grad: true);
        var y = Autograd.ThreadFunction.apply(x.mul(1)).matmul(ones(4, 4, dtype: x.dtype));
        return autograd.grad([y.sum()], [x])[0].to(x.dtype);
    }
}
