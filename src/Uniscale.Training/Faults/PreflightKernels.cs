using System.Reflection;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Training.Faults;

/// <summary>Kernels of a node that is slow or wrong, for its preflight.</summary>
internal class PreflightKernels : DispatchProxy
{
    private IKernels? _target;
    private TimeSpan _delay;
    private bool _isWrong;

    public static IKernels Of(IKernels target, TimeSpan delay, bool isWrong)
    {
        var kernels = Create<IKernels, PreflightKernels>();
        var proxy = (PreflightKernels)(object)kernels;
        (proxy._target, proxy._delay, proxy._isWrong) = (target, delay, isWrong);
        return kernels;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        object? result = targetMethod!.Invoke(_target, BindingFlags.DoNotWrapExceptions, null, args, null);
        if (result is not Tensor product)
            return result;
        Thread.Sleep(_delay);
        if (_isWrong)
        {
            using var flat = product.view(-1);
            Damage.FlipBit(flat);
        }
        return result;
    }
}
