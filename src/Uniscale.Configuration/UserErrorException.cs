namespace Uniscale.Configuration;

/// <summary>
/// Something the user gave is wrong: a key, a number, a path, a layout. The message is one sentence that says what is wrong,
/// where, and what to do; the command line prints it alone and exits with code 2.
/// </summary>
public sealed class UserErrorException : Exception
{
    /// <inheritdoc/>
    public UserErrorException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public UserErrorException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public UserErrorException()
        : this("The input is wrong.") { }
}
