using System.Runtime.InteropServices;
using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>libtorch's version.</summary>
    public static unsafe string __version__ => Marshal.PtrToStringUTF8((nint)NativeMethods.uniscale_torch_version())!;

    public static DisposeScope NewDisposeScope() => DisposeScopeManager.ThreadSingleton.NewDisposeScope();

    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.ThreadSingleton.CurrentDisposeScope;

    /// <summary>Runs <paramref name="expr"/> in a dispose scope and keeps its result alone.</summary>
    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(expr());
    }

    /// <summary>Records no operations on this thread until disposed.</summary>
    public static IDisposable no_grad() => GradMode.Set(false);

    public static IDisposable enable_grad(bool enabled = true) => GradMode.Set(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => GradMode.Set(mode);

    public static bool is_grad_enabled() => NativeMethods.uniscale_grad_enabled() != 0;

    /// <summary>As <see cref="no_grad"/>; tensors made inside can never take part in autograd.</summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    public static bool is_inference_mode_enabled() => NativeMethods.uniscale_inference_mode_enabled() != 0;

    public static IDisposable use_deterministic_algorithms(bool mode = true, bool warn_only = false) =>
        new DeterministicMode(mode, warn_only);

    public static bool are_deterministic_algorithms_enabled() => NativeMethods.uniscale_deterministic() != 0;

    /// <summary>Threads that operators called from this thread run on.</summary>
    public static int get_num_threads() => NativeMethods.uniscale_get_num_threads();

    /// <summary>Sets the threads of operators called from this thread; other threads that have begun keep theirs.</summary>
    public static void set_num_threads(int num) => Errors.Check(NativeMethods.uniscale_set_num_threads(num));

    public static int get_num_interop_threads() => NativeMethods.uniscale_get_num_interop_threads();

    public static void set_num_interop_threads(int num) => Errors.Check(NativeMethods.uniscale_set_num_interop_threads(num));

    /// <summary>Sets a mode again. There are two of these: modes change hundreds of times in a step of training.</summary>
    private sealed class GradMode : IDisposable
    {
        private static readonly GradMode On = new(true), Off = new(false);

        private readonly bool _before;

        private GradMode(bool before) => _before = before;

        internal static GradMode Set(bool enabled)
        {
            var before = is_grad_enabled();
            NativeMethods.uniscale_set_grad_enabled(enabled ? 1 : 0);
            return before ? On : Off;
        }

        public void Dispose() => NativeMethods.uniscale_set_grad_enabled(_before ? 1 : 0);
    }

    private sealed class InferenceMode(bool enabled) : IDisposable
    {
        private nint _guard = Errors.NotNull(NativeMethods.uniscale_inference_mode_begin(enabled ? 1 : 0));

        public void Dispose()
        {
            if (_guard != 0)
                NativeMethods.uniscale_inference_mode_end(_guard);
            _guard = 0;
        }
    }

    private sealed class DeterministicMode : IDisposable
    {
        private readonly bool _before = are_deterministic_algorithms_enabled();

        internal DeterministicMode(bool enabled, bool warnOnly) =>
            Errors.Check(NativeMethods.uniscale_set_deterministic(enabled ? 1 : 0, warnOnly ? 1 : 0));

        public void Dispose() => Errors.Check(NativeMethods.uniscale_set_deterministic(_before ? 1 : 0, 0));
    }
}
