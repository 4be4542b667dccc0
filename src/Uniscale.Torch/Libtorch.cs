using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>The libtorch of this process, where it is not simply the one for the CPU beside the program.</summary>
public static class Libtorch
{
    /// <summary>Names the folder of a libtorch, e.g. <c>lib</c> of a PyTorch installation.</summary>
    public const string FolderVariable = "UNISCALE_LIBTORCH";

    private const string WithCuda = "libtorch_cuda.so";

    /// <summary>
    /// What depends on nothing after it. Once a library is loaded, whatever asks for its name is given it, from whichever folder.
    /// </summary>
    private static readonly string[] InOrder = ["libc10.so", "libtorch_cpu.so", "libc10_cuda.so", WithCuda, "libtorch.so"];

    private static readonly Lazy<string?> Problem = new(() =>
    {
        OpenMpSettled();
        return LoadFrom(Folder);
    });

    /// <summary>Where it lies.</summary>
    public static string Folder =>
        Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } named ? named : AppContext.BaseDirectory;

    /// <summary>
    /// Loads it where the environment names one or where it has CUDA, which has to be there before the first operator runs: what libtorch
    /// knows of
    /// devices it asks for once. Elsewhere TorchSharp does, when it is first used. Returns what is wrong, or null.
    /// </summary>
    public static string? Load() => Problem.Value;

    /// <summary>Whether the libtorch of a folder was built with CUDA.</summary>
    public static bool HasCuda(string folder) => File.Exists(Path.Combine(folder, WithCuda));

    /// <summary>Loads the libtorch of a folder; returns what is wrong, or null.</summary>
    public static string? LoadFrom(string folder)
    {
        if (!File.Exists(Path.Combine(folder, InOrder[1])))
            return $"There is no {InOrder[1]} in {folder}: name a folder that has it in {FolderVariable}, e.g. site-packages/torch/lib of a PyTorch.";
        if (folder == AppContext.BaseDirectory && !HasCuda(folder))
            return null;
        foreach (string name in InOrder)
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path) && WhyNot(path) is { } reason)
                return $"{path} cannot be loaded: {reason}.";
        }
        // Debian's libtorch has other names within than PyTorch's, by which TorchSharp's library asks.
        string bridge = Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so");
        return File.Exists(bridge) && WhyNot(bridge) is { } unfit
            ? $"TorchSharp's library cannot be loaded beside the libtorch of {folder}: {unfit}. If a library is missing there by its name, put that folder into LD_LIBRARY_PATH."
            : null;
    }

    private static string? WhyNot(string path)
    {
        try
        {
            NativeLibrary.Load(path);
            return null;
        }
        catch (DllNotFoundException failure)
        {
            return Reason(failure.Message);
        }
    }

    /// <summary>The dynamic linker's own line.</summary>
    private static string Reason(string message) =>
        message
            .Split('\n')
            .Select(line => line.Trim())
            .FirstOrDefault(line =>
                line.Contains("cannot open", StringComparison.Ordinal) || line.Contains("symbol", StringComparison.Ordinal)
            )
        ?? message.Trim();

    /// <summary>Runs this assembly's initializers, which see to it that there is one OpenMP.</summary>
    private static void OpenMpSettled() =>
        System.Runtime.CompilerServices.RuntimeHelpers.RunModuleConstructor(typeof(Libtorch).Module.ModuleHandle);
}
