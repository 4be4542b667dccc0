using static TorchSharp.torch;

namespace Uniscale.Torch;

/// <summary>The number of threads that operators and kernels use when they are called from a thread.</summary>
public static class TorchThreads
{
    /// <summary>
    /// Sets it for the calling thread; others that have used libtorch keep theirs. A thread's first use of libtorch takes the number set
    /// last
    /// by any thread, so that use is made to be over before.
    /// </summary>
    public static void Set(int count)
    {
        _ = get_num_threads();
        set_num_threads(count);
    }
}
