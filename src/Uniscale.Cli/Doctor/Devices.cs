using System.Runtime.InteropServices;
using Uniscale.Collectives.Nccl;
using Uniscale.Configuration;
using Uniscale.Torch;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Uniscale.Cli.Doctor;

/// <summary>What <c>train.device: cuda</c> needs besides libtorch.</summary>
internal static class Devices
{
    private const string Cuda = "CUDA";

    /// <summary>
    /// libtorch's own view of the devices, and whether its flash attention, forward and backward in bf16, runs on the first.
    /// </summary>
    public static Finding Libtorch()
    {
        if (!Uniscale.Torch.Libtorch.HasCuda(Uniscale.Torch.Libtorch.Folder))
            return new Finding(
                Cuda,
                false,
                false,
                "train.device: cuda",
                "The libtorch here was built without CUDA: build with -p:TorchSharpBackend=TorchSharp-cuda-linux, or name the folder of another in UNISCALE_LIBTORCH."
            );
        if (Uniscale.Torch.Libtorch.Load() is { } problem)
            return new Finding(Cuda, false, false, "train.device: cuda", problem);
        if (!cuda.is_available())
            return new Finding(
                Cuda,
                false,
                false,
                "train.device: cuda",
                "libtorch has CUDA but sees no device: look at nvidia-smi and CUDA_VISIBLE_DEVICES."
            );
        string flash = FlashFailure(new Device(TorchSharp.DeviceType.CUDA, 0)) is { } reason
            ? $"no flash attention ({reason})"
            : "flash attention runs";
        return new Finding(Cuda, true, false, $"{cuda.device_count()} for libtorch; {flash}");
    }

    /// <summary>Why flash attention does not run on a device; null: it does.</summary>
    internal static string? FlashFailure(Device device)
    {
        using var scope = NewDisposeScope();
        using var only = AttentionBackends.OnlyFlash();
        try
        {
            var q = randn([1, 4, 128, 64], bfloat16, device).requires_grad_();
            functional.scaled_dot_product_attention(q, q, q, is_casual: true).sum().backward();
            return null;
        }
        catch (ExternalException failure)
        {
            return FailureSentence.Of(failure);
        }
    }

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
