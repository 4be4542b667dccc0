using System.Diagnostics;

namespace Uniscale.Evaluation.Tests.Support;

/// <summary>Whether the system gives user namespaces, asked of it and not of the sandbox: a chroot, for one, may make none.</summary>
internal static class Namespaces
{
    private static readonly Lazy<bool> Given = new(() =>
    {
        using var unshare = Process.Start(new ProcessStartInfo("unshare", ["--user", "true"]) { RedirectStandardError = true })!;
        unshare.WaitForExit();
        return unshare.ExitCode == 0;
    });

    /// <summary>Skips the test where there are none.</summary>
    public static void Need() => Assert.SkipUnless(Given.Value, "This system gives no user namespaces.");
}
