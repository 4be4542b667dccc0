namespace Uniscale.Programs;

/// <summary>A layout that cannot work. The message is one sentence that says which number to change to what.</summary>
public sealed class LayoutException(string message) : Exception(message);
