using System.Reflection;
using Uniscale.Configuration;
using Uniscale.Kernels;

namespace Uniscale.Training.Faults;

/// <summary>Kernels whose calls ask the injector first. Made at run time, so that a new kernel needs nothing here.</summary>
internal class FaultyKernels : DispatchProxy
{
    private IKernels? _target;
    private FaultInjector? _faults;

    public static IKernels Of(IKernels target, FaultInjector faults)
    {
        var kernels = Create<IKernels, FaultyKernels>();
        var proxy = (FaultyKernels)(object)kernels;
        (proxy._target, proxy._faults) = (target, faults);
        return kernels;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        // By their names: every kernel of a backward is called Gradient or Backward of something.
        bool isBackward =
            targetMethod!.Name.Contains("Gradient", StringComparison.Ordinal)
            || targetMethod.Name.Contains("Backward", StringComparison.Ordinal);
        if (targetMethod.Name != nameof(IKernels.ParametersChanged))
            _faults!.InKernel(isBackward ? FaultMoment.Backward : FaultMoment.Forward);
        return targetMethod.Invoke(_target, BindingFlags.DoNotWrapExceptions, null, args, null);
    }
}
