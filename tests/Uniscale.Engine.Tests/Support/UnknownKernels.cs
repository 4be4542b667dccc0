using System.Reflection;
using Uniscale.Kernels;

namespace Uniscale.Engine.Tests.Support;

/// <summary>Kernels of which nobody sees whose they are, so that nothing is done with them but what their interface has.</summary>
public class UnknownKernels : DispatchProxy
{
    private IKernels? _kernels;

    /// <summary>These, not owned.</summary>
    public static IKernels Of(IKernels kernels)
    {
        var proxy = Create<IKernels, UnknownKernels>();
        ((UnknownKernels)(object)proxy)._kernels = kernels;
        return proxy;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Invoke(_kernels, args);
}
