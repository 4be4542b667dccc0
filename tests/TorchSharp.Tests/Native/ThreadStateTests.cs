using static TorchSharp.torch;

namespace TorchSharp.Tests.Native;

public class ThreadStateTests
{
    [Fact]
    public void EveryThreadHasItsOwnNumberOfThreads()
    {
        using var bothSet = new Barrier(2);
        var seen = new int[2];
        var threads = Enumerable.Range(0, 2).Select(rank => new Thread(() =>
        {
            set_num_threads(rank + 1);
            bothSet.SignalAndWait();
            seen[rank] = get_num_threads();
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Equal([1, 2], seen);
    }

    [Fact]
    public void EveryThreadHasItsOwnGradMode()
    {
        using var off = no_grad();
        var elsewhere = false;
        var thread = new Thread(() => elsewhere = is_grad_enabled());
        thread.Start();
        thread.Join();
        Assert.True(elsewhere);
        Assert.False(is_grad_enabled());
        using (enable_grad())
            Assert.True(is_grad_enabled());
        Assert.False(is_grad_enabled());
    }

    [Fact]
    public void TensorsOfInferenceModeTakeNoPartInAutograd()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, requires_grad: true);
        Tensor made;
        using (inference_mode())
        {
            Assert.True(is_inference_mode_enabled());
            made = x * 2;
        }
        Assert.False(is_inference_mode_enabled());
        Assert.False(made.requires_grad);
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => (x * made).sum().backward());
    }

    [Fact]
    public void GeneratorsRepeatThemselvesAndKeepTheirState()
    {
        using var scope = NewDisposeScope();
        var generator = new Generator(7);
        var first = randn(5, generator: generator);
        var state = generator.get_state();
        var second = randn(5, generator: generator);
        generator.set_state(state);
        Assert.True(second.Equals(randn(5, generator: generator)));
        generator.manual_seed(7);
        Assert.True(first.Equals(randn(5, generator: generator)));
        Assert.Equal(7, generator.initial_seed());
    }
}
