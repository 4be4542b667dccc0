using Uniscale.Collectives.Nccl.Native;

namespace Uniscale.Collectives.Nccl;

/// <summary>What ranks on devices would use here.</summary>
/// <param name="NcclVersion">For example <c>2.28.7</c>.</param>
/// <param name="NcclLibrary">Name under which NCCL was loaded.</param>
/// <param name="CudaLibrary">Name under which the CUDA runtime was loaded.</param>
/// <param name="DeviceCount">Devices that this process sees.</param>
public sealed record NcclDescription(string NcclVersion, string NcclLibrary, string CudaLibrary, int DeviceCount)
{
    /// <summary>Loads both libraries and asks them.</summary>
    /// <exception cref="NcclException">One is missing or too old, or the driver is.</exception>
    public static NcclDescription OfThisProcess()
    {
        var (cuda, nccl) = (CudaRuntime.Instance, Native.NcclLibrary.Instance);
        return new(Native.NcclLibrary.Text(nccl.Version), nccl.Name, cuda.Name, cuda.DeviceCount);
    }
}
