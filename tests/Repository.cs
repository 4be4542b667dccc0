namespace Uniscale.Tests;

/// <summary>The checkout that the tests were built from; part of every test project.</summary>
internal static class Repository
{
    /// <summary>Its top folder.</summary>
    public static string Root { get; } = Find();

    /// <summary>The path of a file or folder of the checkout.</summary>
    public static string PathOf(string relative) => Path.Combine(Root, relative);

    private static string Find()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Uniscale.sln")))
            at =
                at.Parent
                ?? throw new InvalidOperationException(
                    $"The tests run outside the repository: no folder above {AppContext.BaseDirectory} holds Uniscale.sln."
                );
        return at.FullName;
    }
}
