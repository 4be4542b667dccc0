using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace TorchSharp.Tests.Autograd;

/// <summary>y = x·Wᵀ.</summary>
internal sealed class LinearFunction : autograd.SingleTensorFunction<LinearFunction>
{
    public override string Name => nameof(LinearFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, weight) = ((Tensor)vars[0], (Tensor)vars[1]);
        ctx.save_for_backward([x, weight]);
        return x.matmul(weight.t());
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        return [grad_output.matmul(saved[1]), grad_output.t().matmul(saved[0])];
    }
}

/// <summary>y = x·factor, the factor kept as data.</summary>
internal sealed class ScaleFunction : autograd.SingleTensorFunction<ScaleFunction>
{
    public override string Name => nameof(ScaleFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        ctx.save_data("factor", vars[1]);
        return (Tensor)vars[0] * (double)vars[1];
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) =>
        [grad_output * (double)ctx.get_data("factor")!, null!];
}

/// <summary>sin x and cos x.</summary>
internal sealed class SinCosFunction : autograd.MultiTensorFunction<SinCosFunction>
{
    public override string Name => nameof(SinCosFunction);

    public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var x = (Tensor)vars[0];
        List<Tensor> outputs = [x.sin(), x.cos()];
        ctx.save_for_backward(outputs);
        return outputs;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        var saved = ctx.get_saved_variables();
        return [(grad_outputs[0] * saved[1]) - (grad_outputs[1] * saved[0])];
    }
}

/// <summary>Fails in backward.</summary>
internal sealed class FailingFunction : autograd.SingleTensorFunction<FailingFunction>
{
    public override string Name => nameof(FailingFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => ((Tensor)vars[0]).mul(1);

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) =>
        throw new TimeoutException("rank 3 did not answer");
}

/// <summary>Gives fewer gradients than it has arguments.</summary>
internal sealed class ForgetfulFunction : autograd.SingleTensorFunction<ForgetfulFunction>
{
    public override string Name => nameof(ForgetfulFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => ((Tensor)vars[0]).mul(1);

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => [grad_output];
}

/// <summary>x ← 2x.</summary>
internal sealed class DoubleInPlaceFunction : autograd.SingleTensorFunction<DoubleInPlaceFunction>
{
    public override string Name => nameof(DoubleInPlaceFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var x = (Tensor)vars[0];
        ctx.mark_dirty([x]);
        return x.mul_(2);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => [grad_output * 2];
}

/// <summary>y = 3x; remembers the thread of its backward.</summary>
internal sealed class ThreadFunction : autograd.SingleTensorFunction<ThreadFunction>
{
    internal static readonly ThreadLocal<int> LastBackwardThread = new();

    public override string Name => nameof(ThreadFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => (Tensor)vars[0] * 3;

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        LastBackwardThread.Value = Environment.CurrentManagedThreadId;
        return [grad_output * 3];
    }
}

/// <summary>Keeps an object in its context.</summary>
internal sealed class CountedFunction : autograd.SingleTensorFunction<CountedFunction>
{
    public override string Name => nameof(CountedFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        ctx.save_data("ballast", vars[1]);
        return ((Tensor)vars[0]).mul(1);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => [grad_output, null!];

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static WeakReference Run()
    {
        var ballast = new object();
        using var scope = NewDisposeScope();
        apply(ones(2, requires_grad: true), ballast).sum().backward();
        return new WeakReference(ballast);
    }
}
