using Uniscale.Collectives.Nccl;

namespace Uniscale.Cli.Doctor;

/// <summary>What <c>train.device: cuda</c> needs besides libtorch.</summary>
internal static class Devices
{
    /// <summary>Devices and NCCL, as the ranks of a job would load them.</summary>
    public static Finding Nccl()
    {
        try
        {
            var found = NcclDescription.OfThisProcess();
            string devices = $"{found.DeviceCount} CUDA device{(found.DeviceCount == 1 ? "" : "s")}";
            return new Finding("NCCL", true, false, $"{found.NcclVersion}, {found.NcclLibrary}; {devices}, {found.CudaLibrary}");
        }
        catch (NcclException failure)
        {
            return new Finding("NCCL", false, false, "train.device: cuda", failure.Message);
        }
    }
}
