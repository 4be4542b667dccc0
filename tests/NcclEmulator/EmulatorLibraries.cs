namespace Uniscale.NcclEmulation;

/// <summary>The libraries of the emulator, one a version of NCCL.</summary>
internal static class EmulatorLibraries
{
    /// <summary>The newest, which has an all-to-all.</summary>
    public const int Newest = 22807;

    /// <summary>The oldest that Uniscale takes, without one.</summary>
    public const int Oldest = 21805;

    /// <summary>One without communicator split.</summary>
    public const int TooOld = 21701;

    /// <summary>What names the emulator to product code.</summary>
    public static IReadOnlyDictionary<string, string> Variables(int version = Newest) =>
        new Dictionary<string, string> { ["UNISCALE_NCCL_LIBRARY"] = PathOf(version), ["UNISCALE_CUDART_LIBRARY"] = PathOf(version) };

    /// <summary>The library of one version.</summary>
    public static string PathOf(int version) => Repository.PathOf($".build/native/nccl_emulator/libnccl_emulator_{version}.so");
}
