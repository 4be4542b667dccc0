using Uniscale.Checkpoints.Tests.Format;
using Xunit.MicrosoftTestingPlatform;

namespace Uniscale.Checkpoints.Tests.Support;

/// <summary>Runs the tests, plays the child process that a test kills, or writes a golden checkpoint.</summary>
internal static class EntryPoint
{
    public static async Task<int> Main(string[] arguments)
    {
        if (SavingChild.SaveInsteadOfTesting())
            return 0;
        if (arguments is ["write-golden", var folder])
        {
            GoldenCheckpointTests.Write(folder);
            return 0;
        }
        return await TestPlatformTestFramework.RunAsync(arguments, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
    }
}
